"""Notifications, as configured."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.context import Context, make_context
from txregistry.assembly.notifications import build_notifications, endpoint_settings
from txregistry.config.read import read_config
from txregistry.notifications.silent import NullSink

URL = "http://a.example/hook"


class NotificationCase(SynchronousTestCase):
    """Reads a configuration of endpoints."""

    def context(self, *endpoints: dict[str, Any]) -> Context:
        given = {"notifications": {"endpoints": list(endpoints)}}
        config, _ = read_config({"version": "0.1", "storage": "inmemory", **given})
        return make_context(config, Clock(), {}, lambda: 0.5)


class BuildTests(NotificationCase):
    """What is built."""

    def test_nobody(self) -> None:
        """Without endpoints, or with disabled ones only, there is nothing to run."""
        disabled = {"name": "a", "url": URL, "disabled": True}
        for endpoints in ((), (disabled,)):
            built = build_notifications(self.context(*endpoints))
            self.assertIsInstance(built.sink, NullSink)
            self.assertEqual((built.services, list(built.deliveries())), ((), []))

    def test_endpoints(self) -> None:
        """Each that is not disabled is told, and counted under its name."""
        context = self.context(
            {"name": "a", "url": URL},
            {"name": "b", "url": URL, "disabled": True},
        )
        built = build_notifications(context)
        self.assertTrue(built.sink.listening)
        self.assertEqual([state["Name"] for state in built.deliveries()], ["a"])
        self.assertIn(built.sink, built.services)
        labels = {"endpoint": "a"}
        found = context.metrics.registry.get_sample_value(
            "registry_notifications_pending", labels
        )
        self.assertEqual(found, 0)


class SettingsTests(NotificationCase):
    """How one endpoint is told."""

    def settings(self, **more: Any) -> Any:
        context = self.context({"name": "a", "url": URL, **more})
        return endpoint_settings(context.config.notifications.endpoints[0])

    def test_defaults(self) -> None:
        """A value of 0 is the default, as in Go."""
        for more in ({}, {"timeout": "0", "threshold": 0, "backoff": "0"}):
            found = self.settings(**more)
            values = (found.timeout, found.threshold, found.backoff)
            self.assertEqual(values, (1.0, 10, 1.0))

    def test_credentials(self) -> None:
        """Those of the URL become a header, unless one is given."""
        url = "http://u:p@a.example/hook"
        found = self.settings(url=url)
        self.assertEqual(found.url, URL)
        self.assertEqual(found.headers, {"Authorization": ["Basic dTpw"]})
        own = {"authorization": ["Bearer x"]}
        found = self.settings(url=url, headers=own)
        self.assertEqual(found.headers, {"authorization": ("Bearer x",)})
