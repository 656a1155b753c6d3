"""Which keys a running daemon can take, and what is in force then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

import attrs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.loading import _parse_yaml
from txregistry.config.fields import NO_EFFECT
from txregistry.config.model import Config
from txregistry.config.read import read_config
from txregistry.config.reload import (
    LIVE,
    NEEDS_RESTART,
    Changes,
    compare,
    merged,
    needs_restart,
)

HEAD = "version: 0.1\n"
CACHE = "storage: inmemory\nproxy: {remoteurl: 'http://a', username: u, password: p}\n"


def config(text: str) -> Config:
    return read_config(_parse_yaml(HEAD + text))[0]


def keys(kind: type, path: str = "") -> Iterator[str]:
    """Give each key of the model that has an effect."""
    hints = get_type_hints(kind)
    for field in attrs.fields(kind):
        inner: Any = hints[field.name]
        if NO_EFFECT in field.metadata:
            continue
        if attrs.has(inner):
            yield from keys(inner, f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}"


class CompareTests(SynchronousTestCase):
    """What differs, by its key."""

    def compare(self, before: str, after: str) -> Changes:
        return compare(config(before), config(after))

    def test_nothing(self) -> None:
        """The same file twice."""
        self.assertEqual(self.compare(CACHE, CACHE), Changes())

    def test_live(self) -> None:
        """Passwords, times, limits, the log: each is named, none is shown."""
        after = (
            "storage: {inmemory: {}, maintenance: {readonly: {enabled: true}}}\n"
            "proxy: {remoteurl: 'http://b', username: u, password: q, tagttl: 5s}\n"
            "log: {level: debug}\nhttp: {limits: {uploads: {total: 5}}}\n"
        )
        expected = (
            "storage.maintenance.readonly.enabled",
            "log.level",
            "http.limits.uploads.total",
            "proxy.remoteurl",
            "proxy.password",
            "proxy.tagttl",
        )
        self.assertEqual(self.compare(CACHE, after), Changes(expected))

    def test_restart(self) -> None:
        """Addresses, the storage and redis, each with a reason."""
        before = "storage: {filesystem: {rootdirectory: /a}, cache: {}}\n"
        after = (
            "storage: {filesystem: {rootdirectory: /b},"
            " cache: {blobdescriptor: redis}}\n"
            "http: {addr: '127.0.0.1:1', debug: {addr: '127.0.0.1:2'}}\n"
            "redis: {addrs: ['127.0.0.1:3']}\n"
        )
        found = self.compare(before, after)
        self.assertEqual(found.live, ())
        self.assertEqual(
            [needed.key for needed in found.restart],
            [
                "storage.filesystem.rootdirectory",
                "storage.cache.blobdescriptor",
                "http.addr",
                "http.debug.addr",
                "redis.addrs",
            ],
        )
        self.assertTrue(all(needed.why for needed in found.restart))

    def test_controllers_and_drivers(self) -> None:
        """Their names are keys; so are those of their parameters."""
        first = "storage: inmemory\nauth: {silly: {realm: a, service: b}}\n"
        for after, live, restart in (
            (first.replace("realm: a", "realm: c"), ("auth.silly.realm",), []),
            ("storage: inmemory\n", ("auth",), []),
            (first.replace("inmemory", "{filesystem: {}}"), (), ["storage.filesystem"]),
        ):
            found = self.compare(first, after)
            self.assertEqual(found.live, live)
            self.assertEqual([needed.key for needed in found.restart], restart)

    def test_a_registry_and_a_cache(self) -> None:
        """One does not become the other: its whole section waits."""
        before = config("storage: inmemory\n")
        after = config(CACHE + "log: {level: warn}\n")
        found = compare(before, after)
        self.assertEqual(found.live, ("log.level",))
        self.assertEqual(found.restart[0].key, "proxy.remoteurl")
        self.assertEqual(merged(before, after).proxy, before.proxy)

    def test_tls(self) -> None:
        """Other certificates at once; TLS where there was none, later."""
        plain = "storage: inmemory\n"
        secure = plain + "http: {tls: {certificate: a, key: b}}\n"
        self.assertEqual(
            self.compare(secure, secure.replace("b}", "c}")), Changes(("http.tls.key",))
        )
        for before, after in ((plain, secure), (secure, plain)):
            found = self.compare(before, after)
            self.assertEqual(found.live, ())
            self.assertEqual(len(found.restart), 2)

    def test_without_effect(self) -> None:
        """A key that has none is in force as little as it was."""
        after = CACHE + "reporting: {bugsnag: {apikey: x}}\n"
        self.assertEqual(self.compare(CACHE, after), Changes())


class MergedTests(SynchronousTestCase):
    """What is in force after a reload."""

    def test_both(self) -> None:
        """What can change has, the rest has not, and is told each time."""
        before = config("storage: {filesystem: {rootdirectory: /a}}\n")
        after = config(
            "storage: {filesystem: {rootdirectory: /b}, delete: {enabled: true}}\n"
            "http: {addr: '127.0.0.1:1', host: 'http://h'}\n"
        )
        found = merged(before, after)
        self.assertEqual(found.storage.parameters["rootdirectory"], "/a")
        self.assertTrue(found.storage.delete.enabled)
        self.assertEqual(found.http.addr, before.http.addr)
        self.assertEqual(found.http.host, "http://h")
        self.assertEqual(compare(found, after).live, ())
        self.assertEqual(len(compare(found, after).restart), 2)

    def test_all_can_change(self) -> None:
        """Nothing is left of what was, if nothing has to be."""
        before, after = config(CACHE), config(CACHE.replace("//a", "//b"))
        self.assertEqual(merged(before, after), after)


class TableTests(SynchronousTestCase):
    """The table, and the keys that there are."""

    def test_names_keys(self) -> None:
        """Each entry is a key or a section of the model."""
        known = [*keys(Config)]
        for entry in (*NEEDS_RESTART, *LIVE):
            near = [key for key in known if f"{key}.".startswith(f"{entry}.")]
            self.assertTrue(near, entry)

    def test_all_that_waits(self) -> None:
        """A new key is live, unless it is here."""
        waiting = {key for key in keys(Config) if needs_restart(key)}
        sections = {key.partition(".")[0] for key in waiting}
        self.assertEqual(
            sections,
            {"version", "storage", "http", "compatibility", "redis", "notifications"},
        )
        self.assertNotIn("storage.maintenance.readonly.enabled", waiting)
        self.assertIn("storage.resumabledigest.enabled", waiting)
