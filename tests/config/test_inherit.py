"""What upstreams have from ``proxy``."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.inherit import inherit
from txregistry.config.read import ConfigurationError, read_config

BASE = {"version": "0.1", "storage": {"inmemory": {}}}


def upstreams(proxy: dict[str, Any]) -> Any:
    return read_config({**BASE, "proxy": proxy})[0].proxy.upstreams


class InheritTests(SynchronousTestCase):
    """What is inherited, and what never is."""

    def test_settings(self) -> None:
        """What an upstream does not say is as in ``proxy``."""
        found = upstreams(
            {
                "ttl": "1h",
                "tagttl": "5s",
                "upstreams": {"a.b": {"ttl": "2h"}, "c": None},
            }
        )
        self.assertEqual((found["a.b"].ttl, found["a.b"].tagttl), (7200, 5))
        self.assertEqual((found["c"].ttl, found["c"].tagttl), (3600, 5))

    def test_secrets_stay(self) -> None:
        """Nobody is told who we are at the default upstream, nor trusted like it."""
        proxy = {
            "remoteurl": "https://one.example",
            "username": "u",
            "password": "secret",
            "tls": {"insecure": True},
            "trustedrealms": ["https://x.example"],
            "trustedtargets": ["x.example"],
            "allow": ["a"],
            "deny": ["b"],
            "hosts": ["h.example"],
            "upstreams": {"other.example": {}},
        }
        self.assertEqual(
            upstreams(proxy), upstreams({"upstreams": {"other.example": {}}})
        )

    def test_told_once(self) -> None:
        """A bad value is told of where it stands."""
        proxy = {
            "ttl": "soon",
            "maxfills": 0,
            "upstreams": {"a": {}, "b": {"ttl": "x"}},
        }
        error = self.assertRaises(ConfigurationError, upstreams, proxy)
        paths = sorted(line.partition(": ")[0] for line in error.problems)
        self.assertEqual(
            paths, ["proxy.maxfills", "proxy.ttl", "proxy.upstreams.b.ttl"]
        )

    def test_nothing_to_do(self) -> None:
        """What is no section is left for the reader to tell of."""
        for odd in (None, [], {}, {"proxy": 1}, {"proxy": {"upstreams": []}}):
            self.assertEqual(inherit(odd).mapping, odd)
        proxy = {"upstreams": {"a": 1}}
        error = self.assertRaises(ConfigurationError, upstreams, proxy)
        self.assertIn("proxy.upstreams.a: expected a mapping", str(error))
