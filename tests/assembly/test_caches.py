"""The cache of all upstreams of a configuration, and changed ones."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.caches import Cache, build_cache, read_files
from txregistry.assembly.context import Context, make_context
from txregistry.config.read import read_config
from txregistry.interfaces.observe import Count
from txregistry.proxy.endless_room import EndlessRoom
from txregistry.proxy.healing import Healer
from txregistry.remote.namespace import RemoteNamespace
from txregistry.spec.errors import Denied, NameUnknown
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import DEFAULT
from txregistry.testing.house import TestHouse

TWO = {"remoteurl": "http://one.example", "upstreams": {"two.example": {}}}


class CachesCase(SynchronousTestCase):
    """A cache in memory that nobody asks anything."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.stored = TestHouse().stored

    def context(self, **proxy: Any) -> Context:
        mapping = {"version": "0.1", "storage": {"inmemory": {}}, "proxy": proxy}
        return make_context(read_config(mapping)[0], self.reactor, {}, lambda: 0.5)

    def cache(self, **proxy: Any) -> Cache:
        self.current = self.context(**proxy)
        return build_cache(self.current, self.stored, None, EndlessRoom())

    def changed(self, cache: Cache, **proxy: Any) -> Cache:
        """Apply another configuration, as a reload does."""
        config = self.context(**proxy).config
        context = attrs.evolve(self.current, config=config)
        following = cache.next(context, read_files(config.proxy))
        following.begin()
        return following.cache

    def repository(self, cache: Cache, name: str):
        return cache.namespace.repository(name=RepositoryName.parse(name))


class BuildTests(CachesCase):
    """From the configuration."""

    def test_each(self) -> None:
        """Each upstream has its own client, connections and limits, but not storage."""
        cache = self.cache(**TWO)
        self.assertEqual(list(cache.upstreams), [DEFAULT, "two.example"])
        one, two = cache.upstreams.values()
        self.assertIsNot(one.client, two.client)
        self.assertIsNot(one.fills, two.fills)
        self.assertIs(one.fills._fills, two.fills._fills)
        services = [*one.services, *two.services, cache.keys]
        self.assertEqual(list(cache.services), services)
        self.assertEqual(cache.files, {DEFAULT: one.files, "two.example": two.files})

    def test_names(self) -> None:
        """Each has its repositories; a name of nobody is unknown."""
        cache = self.cache(upstreams={"two.example": {"deny": ["x"]}}, local=["l/*"])
        for name in ("two.example/a", "l/a"):
            self.successResultOf(self.repository(cache, name))
        self.failureResultOf(self.repository(cache, "a"), NameUnknown)
        self.failureResultOf(self.repository(cache, "two.example/x"), Denied)

    def test_healer(self) -> None:
        """Damaged content of all is fetched again by one."""
        self.assertIsInstance(self.cache(**TWO).healer(), Healer)


class NextTests(CachesCase):
    """Another configuration."""

    def test_same(self) -> None:
        """What did not change stays as it is."""
        cache = self.cache(**TWO)
        changed = self.changed(cache, **TWO)
        self.assertEqual(dict(changed.upstreams), dict(cache.upstreams))

    def test_added_and_removed(self) -> None:
        """An upstream comes, another goes; the third one keeps its connections."""
        cache = self.cache(**TWO)
        changed = self.changed(
            cache, remoteurl="http://one.example", upstreams={"three.example": {}}
        )
        self.assertEqual(list(changed.upstreams), [DEFAULT, "three.example"])
        self.assertIs(changed.upstreams[DEFAULT], cache.upstreams[DEFAULT])
        three = changed.upstreams["three.example"]
        kept = [*cache.upstreams[DEFAULT].services, *three.services]
        self.assertEqual(
            [item for item in changed.services if item in kept], kept, "not adopted"
        )
        self.assertNotIn(cache.upstreams["two.example"].preload, changed.services)
        self.successResultOf(self.repository(changed, "three.example/a"))
        is_of_three = cache.shared.owners.of("three.example")
        self.assertTrue(is_of_three(RepositoryName.parse("three.example/a")))
        # What was of an upstream is of the default one now.
        gone = self.successResultOf(self.repository(changed, "two.example/a"))
        self.assertIsNotNone(gone)

    def test_nothing_is_left_of_removed_ones(self) -> None:
        """However often an upstream comes and goes."""
        one = {"remoteurl": "http://one.example"}
        cache = self.cache(**one)
        before = list(cache.services)
        for _ in range(3):
            mirrors = ["http://mirror.example"]
            cache = self.changed(
                cache, **one, upstreams={"two.example": {"mirrors": mirrors}}
            )
            (pool,) = cache.upstreams["two.example"].mirrors
            cache = self.changed(cache, **one)
            self.assertFalse(pool.persistent)
        self.assertEqual(list(cache.services), before)

    def test_metrics_of_a_removed_one(self) -> None:
        """They end, so that nobody takes it for one that is idle."""
        cache = self.cache(**TWO)
        cache.upstreams["two.example"].meter.count(Count.HITS, "blob")
        self.changed(cache, remoteurl="http://one.example")
        text = self.current.metrics.exposition().decode()
        self.assertIn('upstream="one.example"', text)
        self.assertNotIn("two.example", text)

    def test_limits(self) -> None:
        """They change where they are, in one upstream alone."""
        cache = self.cache(**TWO)
        upstreams = {"two.example": {"maxfills": 3}}
        changed = self.changed(
            cache, remoteurl="http://one.example", upstreams=upstreams
        )
        one, two = changed.upstreams.values()
        most = one.fills._turns._max_fills, two.fills._turns._max_fills
        self.assertEqual(most, (32, 3))
        self.assertIs(two.fills, cache.upstreams["two.example"].fills)

    def test_mirrors(self) -> None:
        """They come and go; nobody but the upstream gets credentials."""
        login = {"remoteurl": "http://one.example", "username": "u", "password": "p"}
        cache = self.cache(**login)
        self.assertIsInstance(self.remote(cache), RemoteNamespace)
        mirrors = ["http://first.example", "http://second.example/base"]
        changed = self.changed(cache, **login, mirrors=mirrors)
        sources = self.remote(changed)._sources
        self.assertEqual(
            [source._client.host for source in sources],
            ["first.example", "second.example", "one.example"],
        )
        self.assertIs(sources[-1]._client, cache.upstreams[DEFAULT].client)
        same = self.changed(changed, **login, mirrors=mirrors)
        self.assertIs(self.remote(same), self.remote(changed))
        pools = same.upstreams[DEFAULT].mirrors
        self.assertEqual([pool.persistent for pool in pools], [True, True])
        self.assertIsInstance(self.remote(self.changed(same, **login)), RemoteNamespace)
        self.assertEqual([pool.persistent for pool in pools], [False, False])

    def remote(self, cache: Cache):
        return cache.upstreams[DEFAULT].namespace._remote
