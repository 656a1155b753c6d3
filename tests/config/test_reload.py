"""Which keys a running daemon can take, and what is in force then."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.yamltext import parse_yaml
from txregistry.config.model import Config
from txregistry.config.read import read_config
from txregistry.config.reload import Changes, compare, merged
from txregistry.config.table import keys, restart_of

HEAD = "version: 0.1\n"
CACHE = "storage: inmemory\nproxy: {remoteurl: 'http://a', username: u, password: p}\n"


def config(text: str) -> Config:
    return read_config(parse_yaml(HEAD + text).value)[0]


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

    def test_endpoints(self) -> None:
        """Other passwords at once; another endpoint later."""
        one = "storage: inmemory\nnotifications: {endpoints: [{name: a, url: 'http://a'}]}"
        key = "notifications.endpoints"
        found = self.compare(one, one.replace("//a", "//u:p@a"))
        self.assertEqual(found, Changes((key,)))
        for after in (one.replace("name: a", "name: b"), "storage: inmemory\n"):
            found = self.compare(one, after)
            self.assertEqual([needed.key for needed in found.restart], [key])

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
    """What the declarations of keys say."""

    def test_page(self) -> None:
        """The page for operators has each key that needs a restart, with its reason."""
        page = Path(__file__).parents[2] / "docs" / "reload.md"
        _, found, text = page.read_text().partition("## Keys that need a restart")
        self.assertTrue(found)
        rows = [line for line in text.splitlines() if line.startswith("| ")]
        for key in keys():
            outer = key.path.rpartition(".")[0]
            if not key.restart or key.twin_of or restart_of(outer):
                continue
            name = key.path.partition("[]")[0]
            self.assertTrue(
                any(
                    f"`{name}`" in row and row.endswith(f"{key.restart} |")
                    for row in rows
                ),
                name,
            )

    def test_parameters_of_packages(self) -> None:
        """Those that no table lists are as their section is."""
        self.assertTrue(restart_of("storage.example.bucket"))
        self.assertFalse(restart_of("auth.example.url"))
        self.assertFalse(restart_of("storage.maintenance.readonly.enabled"))
        self.assertTrue(restart_of("storage.resumabledigest.enabled"))
