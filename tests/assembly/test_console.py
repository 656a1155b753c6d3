"""The admin listener of a whole daemon in memory."""

from __future__ import annotations

import json
import os
from typing import Any

from treq.client import HTTPClient

from tests.assembly.test_reload import CACHE, DaemonCase
from txregistry.assembly.console import notes_changes
from txregistry.assembly.loading import load
from txregistry.testing.wire import Wire
from txregistry.web.console.site import ConsoleSite

ADMIN = {
    "addr": "127.0.0.1:5001",
    "users": {"*": "operate"},
    "hosts": ["Admin.example"],
}
SILLY = {"silly": {"realm": "r", "service": "s"}}


class ConsoleTests(DaemonCase):
    """From a configuration to an answer."""

    def start(self, **config: Any) -> None:
        """Start a daemon whose directory of its own is there."""
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        section = {"inmemory": {}, "statedirectory": self.directory}
        super().start(storage=section, **config)

    def visit(self, path: str, **headers: str) -> Any:
        (console,) = (
            site for site, _ in self.registry.listeners if isinstance(site, ConsoleSite)
        )
        wire = Wire(console, self.reactor)
        asked = HTTPClient(wire).request(
            "GET", f"http://admin.example{path}", headers=headers, unbuffered=True
        )
        for _ in range(20):
            while wire.pump():
                pass
            self.reactor.advance(0.01)
        return self.successResultOf(asked)

    def api(self, path: str) -> Any:
        got = self.visit(f"/api/v1/{path}")
        self.assertEqual(got.code, 200)
        return json.loads(self.successResultOf(got.content()))

    def test_a_cache(self) -> None:
        """Its upstreams, and all actions but those of a registry."""
        self.start(http={"admin": ADMIN}, proxy=CACHE)
        overview = self.api("overview")
        (upstream,) = overview["cache"]["upstreams"]
        self.assertEqual(upstream["url"], "http://upstream.example")
        session = self.api("session")
        self.assertIn("warm", session["actions"])
        self.assertNotIn("collect", session["actions"])
        for _ in range(3):
            self.reactor.advance(61)
        samples = self.api("history?span=day")["samples"]
        self.assertGreaterEqual(len(samples), 2)
        self.assertIn("stored_bytes", samples[-1]["levels"])

    def test_a_registry(self) -> None:
        """What it has, and the actions of a registry."""
        self.start(http={"admin": ADMIN})
        self.assertIsNone(self.api("overview")["cache"])
        self.assertEqual(set(self.api("session")["actions"]), {"collect", "verify"})
        self.assertEqual(self.visit("/").code, 200)

    def test_a_reload(self) -> None:
        """Who may come in can change; what the registry serves is not served here."""
        self.start(http={"admin": ADMIN})
        self.assertEqual(self.visit("/").code, 200)
        section = {"inmemory": {}, "statedirectory": self.directory}
        self.reload(http={"admin": ADMIN}, storage=section, auth=SILLY)
        self.assertEqual(self.visit("/").code, 401)
        self.assertEqual(self.visit("/", Authorization="Bearer x").code, 200)
        self.assertEqual(self.visit("/v2/", Authorization="Bearer x").code, 404)

    def test_users_and_names(self) -> None:
        """They change with a reload; the address does not."""
        self.start(http={"admin": ADMIN})
        section = {"inmemory": {}, "statedirectory": self.directory}
        self.assertTrue(self.api("session")["may_act"])
        readers = {**ADMIN, "users": {"*": "read"}}
        self.reload(http={"admin": readers}, storage=section)
        self.assertFalse(self.api("session")["may_act"])
        elsewhere = {**readers, "hosts": [], "addr": "127.0.0.1:5002"}
        report = self.reload(http={"admin": elsewhere}, storage=section)
        self.assertEqual(set(report.changed), {"http.admin.hosts"})
        self.assertEqual(set(report.restart), {"http.admin.addr"})
        self.assertEqual(self.visit("/").code, 403)

    def test_readiness(self) -> None:
        """After a reload all is looked at anew: rules may have changed."""
        self.start(http={"admin": ADMIN}, proxy=CACHE)
        console = self.reloader._take.__self__.console
        forgotten: list[object] = []
        self.patch(console._survey, "forget", lambda: forgotten.append(1))
        section = {"inmemory": {}, "statedirectory": self.directory}
        denying = {**CACHE, "deny": ["secret/**"]}
        self.reload(http={"admin": ADMIN}, storage=section, proxy=denying)
        self.assertEqual(forgotten, [1])

    def test_what_is_noted(self) -> None:
        """Not what others change, nor time, nor what redis forgets later."""
        limited = {**CACHE, "upstreams": {"a.example": {"maxstale": "1h"}}}
        in_redis = {"inmemory": {}, "cache": {"blobdescriptor": "redis"}}
        redis = {"redis": {"addr": "127.0.0.1:6379"}}
        for config, is_shared, expected in (
            ({"proxy": CACHE}, False, True),
            ({"proxy": CACHE}, True, False),
            ({"proxy": {**CACHE, "maxstale": "1h"}}, False, False),
            ({"proxy": limited}, False, False),
            ({"proxy": CACHE, "storage": in_redis, **redis}, False, False),
        ):
            self.path = self.mktemp()
            self.write(**config)
            found, _ = load(self.path, {})
            self.assertIs(notes_changes(found, is_shared), expected, config)

    def test_none(self) -> None:
        """Unless it is configured there is none, and nothing is written for it."""
        self.start()
        found = [
            site for site, _ in self.registry.listeners if isinstance(site, ConsoleSite)
        ]
        self.assertEqual(found, [])
        self.assertNotIn("history.sqlite3", os.listdir(self.directory))
