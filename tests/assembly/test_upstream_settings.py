"""What the settings of one upstream mean for its cache."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.upstream_settings import (
    asked_by,
    identity_of,
    mark_of,
    rate_policy,
    tag_policy,
    uses_credentials,
)
from txregistry.assembly.upstreams import upstreams_of
from txregistry.config.proxy import Upstream
from txregistry.config.read import read_config
from txregistry.spec.upstreams import DEFAULT

LOGIN = {"username": "u", "password": "p"}


def settings(**section: Any) -> Upstream:
    proxy = {"remoteurl": "http://one.example", **section}
    mapping = {"version": "0.1", "storage": {"inmemory": {}}, "proxy": proxy}
    return upstreams_of(read_config(mapping)[0].proxy)[DEFAULT]


class SettingsTests(SynchronousTestCase):
    """One upstream, and a change of its settings."""

    def test_policies(self) -> None:
        """Answers behind a stale one are asked for only if that is configured."""
        policy = tag_policy(settings(tagttl="5s", revalidate="behind"))
        self.assertEqual(policy.fresh_seconds, 5.0)
        self.assertEqual(policy.stale_while_seconds, settings().stalewhile)
        self.assertIsNone(tag_policy(settings()).stale_while_seconds)
        reserve = rate_policy(settings(ratelimit={"reserve": "20%"}))
        self.assertNotEqual(reserve, rate_policy(settings(ratelimit={"reserve": "0%"})))

    def test_credentials(self) -> None:
        """They are of the configuration, or of a helper."""
        self.assertFalse(uses_credentials(settings()))
        self.assertTrue(uses_credentials(settings(**LOGIN)))
        self.assertTrue(uses_credentials(settings(exec={"command": "/bin/x"})))

    def test_agents(self) -> None:
        """They are kept if a setting changes that they do not use."""
        before = asked_by(settings())
        self.assertEqual(asked_by(settings(tagttl="5s", maxfills=3)), before)
        self.assertNotEqual(asked_by(settings(firstbytetimeout="5s")), before)

    def test_identity(self) -> None:
        """A password changes who asks, but not what is known of the upstream's tags."""
        before, after = settings(**LOGIN), settings(**{**LOGIN, "password": "q"})
        self.assertNotEqual(identity_of(before), identity_of(after))
        self.assertEqual(mark_of(before), mark_of(after))
        self.assertNotEqual(mark_of(before), mark_of(settings()))
        self.assertEqual(identity_of(before), identity_of(settings(**LOGIN)))
