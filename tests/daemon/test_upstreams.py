"""Repositories that were stored as another upstream's."""

from __future__ import annotations

import json
from collections.abc import Collection

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.upstreams import UpstreamKeys
from txregistry.interfaces.driver import DriverError
from txregistry.storage.tree import layout
from txregistry.storagedriver.inmemory import MemoryDriver

PATH = "/txregistry/upstreams.json"


class KeysTests(SynchronousTestCase):
    """What is told, and when."""

    def setUp(self) -> None:
        self.driver = MemoryDriver(Clock())
        self.store("corp")

    def store(self, key: str) -> None:
        path = f"{layout.REPOSITORIES}/{key}/app/_manifests/x"
        self.successResultOf(self.driver.put(path, b"x"))

    def start(self, *keys: str, has_default: bool = True) -> list[str]:
        """Start with some keys, stop, and give what was told."""
        with capturedLogs() as events:
            service = UpstreamKeys(self.driver, frozenset(keys), has_default)
            service.startService()
            self.successResultOf(service.stopService())
        return [formatEvent(event) for event in events]

    def kept(self) -> object:
        return json.loads(self.successResultOf(self.driver.get(PATH)))

    def test_new_key(self) -> None:
        """It is told of once if repositories lie where its own will, else not."""
        (told,) = self.start("corp", "ghcr.io")
        self.assertIn("proxy.upstreams.corp", told)
        self.assertIn(f"{layout.REPOSITORIES}/corp", told)
        self.assertEqual(self.kept(), ["corp", "ghcr.io"])
        self.store("ghcr.io")
        self.assertEqual(self.start("corp", "ghcr.io"), [])

    def test_removed_key(self) -> None:
        """Its repositories are somebody else's now, if there is somebody."""
        self.start("corp")
        (told,) = self.start()
        self.assertIn("configured no longer", told)
        self.start("corp")
        self.assertEqual(self.start(has_default=False), [])

    def test_nothing_to_do(self) -> None:
        """A cache of one upstream, or an empty one, writes and tells nothing."""
        self.assertEqual(self.start(), [])
        self.assertNotIn(PATH, self.driver.paths())

    def test_unusable_file(self) -> None:
        """It counts as none."""
        for content in (b"{", b"{}", b"3"):
            self.successResultOf(self.driver.put(PATH, content))
            self.assertEqual(len(self.start("corp")), 1)
            self.assertEqual(self.kept(), ["corp"])

    def test_reload(self) -> None:
        """Keys that a reload brings are compared, the same ones are not again."""
        service = UpstreamKeys(self.driver, frozenset(), True)
        service.startService()
        keys: Collection[str] = {"corp"}
        for expected in (1, 0):
            with capturedLogs() as events:
                service.follow(keys, True)
            self.assertEqual(len(list(events)), expected)
        self.successResultOf(service.stopService())

    def test_storage_that_fails(self) -> None:
        """It is told, and nothing else happens."""
        error = DriverError("inmemory", "/x", "Input/output error")
        self.patch(MemoryDriver, "get", lambda _, path: fail(error))
        (told,) = self.start("corp")
        self.assertIn("Input/output error", told)

    def test_stopped_meanwhile(self) -> None:
        """Comparing ends with the daemon, and is done at the next start."""
        waiting: Deferred[bytes] = Deferred()
        patched = self.patch(MemoryDriver, "get", lambda _, path: waiting)
        self.assertEqual(self.start("corp"), [])
        patched.restore()
        self.assertEqual(len(self.start("corp")), 1)
