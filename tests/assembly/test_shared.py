"""What is put together otherwise where others use the storage."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import attrs
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.namespaces import shared_house
from tests.web.test_audit import Trail
from txregistry.assembly.context import make_context
from txregistry.assembly.expiry import expiry_plan, tell_of_ttl
from txregistry.assembly.listeners import commands_of
from txregistry.assembly.registry import _locks, build_registry
from txregistry.assembly.scrub import assemble_scrubber
from txregistry.assembly.storage import _descriptors
from txregistry.config.model import Config
from txregistry.config.proxy import Proxy
from txregistry.config.read import ConfigurationError, read_config
from txregistry.interfaces.audit import Requester
from txregistry.interfaces.commands import CommandRefused
from txregistry.testing.house import TestHouse


def config(**storage: object) -> Config:
    return read_config({"version": "0.1", "storage": storage})[0]


class SharedTests(SynchronousTestCase):
    """Each place by itself."""

    def setUp(self) -> None:
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def told(self) -> list[str]:
        return [formatEvent(event) for event in self.events]

    def context(self, found: Config):
        return make_context(found, Clock(), {}, lambda: 0.5)

    def test_descriptors(self) -> None:
        """Those in memory are kept for one process alone, which is told."""
        context = self.context(
            config(inmemory={}, cache={"blobdescriptor": "inmemory"})
        )
        self.assertEqual(_descriptors(context, None, False)._limit, 10000)
        self.assertEqual(self.told(), [])
        self.assertEqual(_descriptors(context, None, True)._limit, 1)
        (told,) = self.told()
        self.assertIn("inmemory is not used", told)

    def test_expiry(self) -> None:
        """Nothing expires, which is told; a ledger that all share knows better."""
        local = shared_house(self.mktemp()).stored
        tell_of_ttl(Proxy(ttl=60.0), local)
        tell_of_ttl(Proxy(ttl=0.0), local)
        tell_of_ttl(Proxy(ttl=60.0), TestHouse().stored)
        (told,) = (text for text in self.told() if "proxy.ttl" in text)
        self.assertIn("proxy.ttl has no effect", told)
        self.assertEqual(expiry_plan(Proxy(ttl=60.0), local).ttl_seconds, 0.0)
        local.databases.ledger.is_shared = True
        self.assertEqual(expiry_plan(Proxy(ttl=60.0), local).ttl_seconds, 60.0)
        self.assertEqual(
            expiry_plan(Proxy(ttl=60.0), TestHouse().stored).ttl_seconds, 60.0
        )

    def test_a_registry_is_told_nothing(self) -> None:
        """It lets nothing expire anyway."""
        root = self.mktemp()
        for remote, count in ((None, 0), ("https://upstream.example", 1)):
            proxy = {"proxy": {"remoteurl": remote}} if remote else {}
            section = {"filesystem": {"rootdirectory": root, "shared": True}}
            found = read_config({"version": "0.1", "storage": section, **proxy})[0]
            build_registry(self.context(found), Mock(), Mock())
            told = [text for text in self.told() if "proxy.ttl" in text]
            self.assertEqual(len(told), count)

    def test_collection(self) -> None:
        """The daemon refuses it, and the trail says who asked."""
        trail = Trail()
        context = attrs.evolve(self.context(config(inmemory={})), audit=trail)
        for house, outcomes in (
            (shared_house(self.mktemp()), ["REFUSED"]),
            (TestHouse(), ["done"]),
        ):
            commands = commands_of(context, Mock(local=house.stored), Mock())
            done = commands["collect"].run(Requester("ann"), {}, lambda _: None)
            done.addErrback(lambda failure: failure.trap(CommandRefused) and None)
            self.successResultOf(done)
            told = [(entry.who, entry.outcome) for entry in trail.entries]
            self.assertEqual(told, [("ann", outcome) for outcome in outcomes])
            trail.entries.clear()

    def test_holders(self) -> None:
        """Who holds damaged content is found in the tree, as others link as well."""
        house = shared_house(self.mktemp())
        digest = house.upstream.add_blob("a/b", b"content")
        house.get(f"/v2/a/b/blobs/{digest}")
        other = shared_house(house.driver._root, house.clock)
        args = (other.metrics.scrub, other.clock, other.clock)
        scrubber = assemble_scrubber(other.stored, None, True, *args)
        found = self.successResultOf(scrubber._holders.find(digest))
        self.assertEqual([str(holder.repository) for holder in found], ["a/b"])

    def test_locks(self) -> None:
        """That of the storage is shared; one process has its own directory."""
        root = {"rootdirectory": "/r"}
        for storage, expected in (
            ({"filesystem": root}, [("/r/txregistry/lock", False)]),
            (
                {"filesystem": root, "statedirectory": "/s"},
                [("/r/txregistry/lock", False), ("/s/state.lock", False)],
            ),
            (
                {"filesystem": {**root, "shared": True}},
                [("/r/txregistry/lock", True), ("", False)],
            ),
        ):
            locks = _locks(self.context(config(**storage)))
            found = [(lock._path, lock._is_shared) for lock in locks]
            self.assertEqual(found, expected)

    def test_port_for_several(self) -> None:
        """A port that is shared over a storage that is not is told."""
        http = {"addr": "127.0.0.1:5000", "reuseport": True}
        for shared, count in ((True, 0), (False, 1)):
            storage = {"filesystem": {"rootdirectory": "/r", "shared": shared}}
            _, warnings = read_config(
                {"version": "0.1", "storage": storage, "http": http}
            )
            self.assertEqual(sum("http.reuseport" in text for text in warnings), count)
        with self.assertRaisesRegex(ConfigurationError, "expects http.net to be tcp"):
            read_config(
                {
                    "version": "0.1",
                    "storage": "inmemory",
                    "http": {**http, "addr": "/s", "net": "unix"},
                }
            )
