"""Descriptors in redis, which others write to as well."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    fail,
    succeed,
)
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer_only

from tests.storage.caches.fakes import Answer, Commands, FakeRedis, Looking
from txregistry.flow.redis.client import (
    RETRY_SECONDS,
    Redis,
    RedisAway,
    RedisSettings,
)
from txregistry.interfaces.blobs import IDescriptorCache
from txregistry.interfaces.driver import FileStat, IStorageDriver
from txregistry.interfaces.files import IStoredFile
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, Unavailable
from txregistry.spec.manifest.parse import parse
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.caches import redis_descriptors
from txregistry.storage.caches.descriptors import (
    SharedStatter,
)
from txregistry.storage.caches.redis_descriptors import ENTRY_SECONDS, RedisDescriptors
from txregistry.storage.tree import layout
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.descriptors import (
    ALIAS,
    CONTENT,
    DESCRIPTOR,
    DIGEST,
    descriptor_cache_suite,
)
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest


def in_redis(case: RedisTests) -> IDescriptorCache:
    case.clock = Clock()
    case.redis = FakeRedis(case.clock)
    case.commands = case.redis.commands
    return RedisDescriptors(case.redis, case.clock)


class RedisTests(descriptor_cache_suite(in_redis)):  # type: ignore[misc]
    """In redis, which may be away."""

    def test_keys(self) -> None:
        """The keys and fields are distribution's, and none is for ever."""
        self.set("a/b", DIGEST, DESCRIPTOR)
        kind = {"mediatype": "application/octet-stream"}
        self.assertEqual(
            self.commands.hashes,
            {
                f"blobs::{DIGEST}": {"digest": str(DIGEST), "size": "7", **kind},
                f"repository::a/b::blobs::{DIGEST}": kind,
            },
        )
        self.assertEqual(self.commands.sets, {"repository::a/b::blobs": {str(DIGEST)}})
        keys = [*self.commands.hashes, *self.commands.sets]
        self.assertEqual(self.commands.ends, dict.fromkeys(keys, ENTRY_SECONDS))

    def test_alias_brings_the_canonical(self) -> None:
        """Who sets an alias sets the digest that it stands for as well."""
        self.set("a", ALIAS, DESCRIPTOR)
        self.assertKnown("a", DIGEST, DESCRIPTOR)

    def test_clear_leaves_nothing(self) -> None:
        """Membership and both entries go."""
        self.set("a", DIGEST, DESCRIPTOR)
        self.successResultOf(self.of("a").clear(digest=DIGEST))
        self.assertEqual(self.commands.hashes, {})
        self.assertEqual(self.commands.sets, {"repository::a::blobs": set()})

    def test_what_others_wrote(self) -> None:
        """What is no descriptor is none, whoever wrote it."""
        self.set("a", DIGEST, DESCRIPTOR)
        entry = self.commands.hashes[f"blobs::{DIGEST}"]
        for field, value in (
            ("size", "-1"),
            ("size", "many"),
            ("size", ""),
            ("digest", "sha256:short"),
            ("digest", ""),
            ("size", "9" * 5000),
            ("size", b"\xff"),
            ("digest", b"\xff"),
        ):
            was, entry[field] = entry[field], value
            self.assertUnknown("a", DIGEST)
            entry[field] = was
        self.assertKnown("a", DIGEST, DESCRIPTOR)
        entry["mediatype"] = self.commands.hashes[f"repository::a::blobs::{DIGEST}"][
            "mediatype"
        ] = b"\xff"  # type: ignore[assignment]
        self.assertKnown("a", DIGEST, DESCRIPTOR)
        del entry["size"]
        self.assertUnknown("a", DIGEST)

    def test_password_is_not_shown(self) -> None:
        """Whoever prints the cache does not print the password."""
        settings = RedisSettings(password="hunter2")
        redis = Redis("endpoint", settings, Clock())
        self.assertNotIn("hunter2", repr(RedisDescriptors(redis, Clock())))

    def break_it(self, failure: Exception | None = None) -> None:
        """Let the next question fail."""
        failure = failure or ConnectionLost()
        self.failureResultOf(self.redis.ask(lambda _: fail(failure)), RedisAway)

    def test_away(self) -> None:
        """Without redis nothing is known, and nothing fails."""
        self.set("a", DIGEST, DESCRIPTOR)
        self.break_it()
        self.assertUnknown("a", DIGEST)
        self.set("a", ALIAS, DESCRIPTOR)
        self.assertNotIn(f"blobs::{ALIAS}", self.commands.hashes)
        self.successResultOf(self.of("a").clear(digest=DIGEST))

    def test_forgotten_when_it_is_back(self) -> None:
        """What was to be forgotten meanwhile is, by itself, once it is asked again."""
        for name in ("a", "b"):
            self.set(name, DIGEST, DESCRIPTOR)
        other = Digest.of(b"other")
        self.set("b", other, Descriptor(other, 5))
        self.break_it()
        self.successResultOf(self.of("a").clear(digest=DIGEST))
        self.successResultOf(self.cache.forget(digest=other))
        self.assertEqual(self.cache.owes, 2)
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.cache.owes, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertUnknown("a", DIGEST)
        self.assertUnknown("b", other)
        self.assertNotIn(f"repository::a::blobs::{DIGEST}", self.commands.hashes)
        self.assertNotIn(f"blobs::{other}", self.commands.hashes)

    def test_nothing_is_believed_before(self) -> None:
        """Until then nothing is believed and nothing is set, and nobody waits."""
        self.set("a", DIGEST, DESCRIPTOR)
        other = Digest.of(b"other")
        self.set("a", other, Descriptor(other, 5))
        self.break_it()
        self.successResultOf(self.of("a").clear(digest=other))
        self.redis._retry_at = 0.0
        self.assertUnknown("a", DIGEST)
        self.set("b", DIGEST, DESCRIPTOR)
        self.clock.advance(RETRY_SECONDS)
        self.assertKnown("a", DIGEST, DESCRIPTOR)
        self.assertUnknown("b", DIGEST)

    def test_clearing_that_is_given_up(self) -> None:
        """What nobody waits for any more is forgotten all the same."""
        self.set("a", DIGEST, DESCRIPTOR)
        silent: Answer = Deferred()
        self.patch(self.commands, "srem", lambda key, members: silent)
        done = self.of("a").clear(digest=DIGEST)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.cache.owes, 1)
        self.patch(self.commands, "srem", lambda *a: Commands.srem(self.commands, *a))
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.cache.owes, 0)
        self.assertUnknown("a", DIGEST)

    def test_still_away(self) -> None:
        """It is tried again and again, by one call at a time."""
        self.redis.factory.size = 0
        for number in range(5):
            digest = Digest.of(b"%d" % number)
            self.successResultOf(self.cache.forget(digest=digest))
        for _ in range(3):
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            self.clock.advance(RETRY_SECONDS)
        self.redis.factory.size = 1
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual((self.cache.owes, self.clock.getDelayedCalls()), (0, []))

    def test_many_are_forgotten_at_once(self) -> None:
        """Two commands are enough for hundreds."""
        self.break_it()
        for number in range(400):
            digest = Digest.of(b"%d" % number)
            self.successResultOf(self.of("a").clear(digest=digest))
        self.assertEqual(self.commands.asked, 0)
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual((self.cache.owes, self.commands.asked), (0, 2))

    def test_away_for_long(self) -> None:
        """What is to be forgotten is kept up to a limit, and that is told."""
        self.patch(redis_descriptors, "MAX_OWED", 3)
        self.break_it()
        with capturedLogs() as logs:
            for number in range(5):
                digest = Digest.of(b"%d" % number)
                self.successResultOf(self.cache.forget(digest=digest))
        self.assertEqual(self.cache.owes, 3)
        told = [e for e in logs if "down for too long" in e.get("log_format", "")]
        self.assertEqual(len(told), 1)


class DeletedMeanwhileTests(SynchronousTestCase):
    """A blob that is deleted while its length is looked up."""

    def setUp(self) -> None:
        self.looks: list[Deferred[Any]] = []

    def look(self, digest: Digest) -> Deferred[Any]:
        self.looks.append(Deferred())
        return self.looks[-1]

    def test_shared(self) -> None:
        """It is unknown, and others do not learn of it."""
        redis = FakeRedis(Clock())
        cache = RedisDescriptors(redis, Clock()).repository(RepositoryName("a"))
        content = Looking(lambda digest: succeed(DESCRIPTOR))
        done = SharedStatter(cache, self.look, content).stat(DIGEST)
        self.looks[0].callback(DIGEST)
        self.looks[1].errback(BlobUnknown(str(DIGEST)))
        self.failureResultOf(done, BlobUnknown)
        self.assertEqual(redis.commands.hashes, {})


class RepositoryCase(SynchronousTestCase):
    """A local repository over a cache that others write to as well."""

    def make_driver(self) -> MemoryDriver:
        return MemoryDriver(self.clock)

    def setUp(self) -> None:
        self.clock = Clock()
        self.redis = FakeRedis(self.clock)
        self.driver = self.make_driver()
        self.house = TestHouse(
            clock=self.clock,
            driver=self.driver,
            descriptors=RedisDescriptors(self.redis, self.clock),
        )
        self.blobs = self.successResultOf(
            self.house.local.repository(RepositoryName("a"))
        ).blobs

    def push(self) -> None:
        upload = self.successResultOf(self.blobs.create())
        upload.write(CONTENT)
        self.successResultOf(upload.commit(DESCRIPTOR))


class Deletions:
    """What holds of a repository whatever its links are asked for."""

    def test_deleted(self) -> None:
        """What was deleted is gone from the cache, and content with all its entries."""
        self.push()
        self.successResultOf(self.blobs.stat(DIGEST))
        self.successResultOf(self.blobs.delete(DIGEST))
        self.assertEqual(self.redis.commands.hashes, {})
        self.failureResultOf(self.blobs.stat(DIGEST), BlobUnknown)


class SharedTests(Deletions, RepositoryCase):
    """The links of a directory decide, and the cache saves a look at the content."""

    def test_not_believed_about_the_size(self) -> None:
        """How large a blob is, its file says."""
        self.push()
        self.assertEqual(self.successResultOf(self.blobs.stat(DIGEST)).size, 7)
        self.redis.commands.hashes[f"blobs::{DIGEST}"]["size"] = "8"
        self.assertEqual(self.successResultOf(self.blobs.stat(DIGEST)).size, 7)
        reader = self.successResultOf(self.blobs.open(DIGEST))
        self.addCleanup(reader.close)
        self.assertEqual((reader.size, reader.descriptor.size), (7, 7))

    def test_not_believed_about_access(self) -> None:
        """Only a link gives access, whatever the cache says."""
        self.push()
        found = self.successResultOf(self.house.local.repository(RepositoryName("b")))
        commands = self.redis.commands
        commands.sadd("repository::b::blobs", str(DIGEST))
        commands.hmset(f"repository::b::blobs::{DIGEST}", {"mediatype": "x/y"})
        self.failureResultOf(found.blobs.stat(DIGEST), BlobUnknown)
        self.failureResultOf(found.blobs.open(DIGEST), BlobUnknown)

    def test_not_believed_about_another_digest(self) -> None:
        """What a digest stands for is what it is linked to."""
        self.push()
        self.successResultOf(self.blobs.stat(DIGEST))
        other = Digest.of(b"other")
        self.redis.commands.hashes[f"blobs::{DIGEST}"]["digest"] = str(other)
        self.assertEqual(self.successResultOf(self.blobs.stat(DIGEST)), DESCRIPTOR)


@implementer_only(IStorageDriver)
class ObjectDriver(MemoryDriver):
    """Files are there when they are complete, and looks at them are counted."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, is_shared=True)
        self.looks: list[str] = []

    def get(self, path: str) -> Deferred[bytes]:
        self.looks.append(path)
        return super().get(path)

    def reader(self, path: str) -> Deferred[IStoredFile]:
        self.looks.append(path)
        return super().reader(path)

    def stat(self, path: str) -> Deferred[FileStat]:
        self.looks.append(path)
        return super().stat(path)


class BelievedTests(Deletions, RepositoryCase):
    """An object store, where all nodes ask one redis instead of the links."""

    def make_driver(self) -> MemoryDriver:
        return ObjectDriver(self.clock)

    def test_not_believed_about_another_digest(self) -> None:
        """What is no alias is the content of its own digest alone."""
        self.push()
        self.successResultOf(self.blobs.stat(DIGEST))
        other = Digest.of(b"other")
        self.redis.commands.hashes[f"blobs::{DIGEST}"]["digest"] = str(other)
        found = self.successResultOf(self.blobs.stat(DIGEST))
        self.assertEqual(found.digest, DIGEST)

    def test_one_look(self) -> None:
        """A blob whose descriptor is cached costs its own file alone."""
        self.push()
        self.successResultOf(self.blobs.stat(DIGEST))
        self.driver.looks.clear()
        self.successResultOf(self.blobs.open(DIGEST)).close()
        self.assertEqual(self.driver.looks, [layout.blob_data(DIGEST)])

    def test_not_deleted_without_redis(self) -> None:
        """While redis is away nothing is deleted, as other nodes would not know."""
        self.push()
        self.successResultOf(self.blobs.stat(DIGEST))
        self.redis.factory.size = 0
        self.failureResultOf(self.blobs.delete(DIGEST), Unavailable)
        self.successResultOf(self.blobs.stat(DIGEST))
        self.redis.factory.size = 2
        self.clock.advance(RETRY_SECONDS)
        self.successResultOf(self.blobs.delete(DIGEST))
        self.failureResultOf(self.blobs.stat(DIGEST), BlobUnknown)

    def test_redis_goes_meanwhile(self) -> None:
        """A blob whose link is gone is deleted, and redis is told later."""
        self.push()
        self.successResultOf(self.blobs.stat(DIGEST))
        with patch.object(type(self.driver), "delete", self.last("delete")):
            self.successResultOf(self.blobs.delete(DIGEST))
        self.failureResultOf(self.blobs.stat(DIGEST), BlobUnknown)
        self.assertEqual(self.house.descriptors.owes, 1)
        self.redis.factory.size = 2
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.house.descriptors.owes, 0)

    def test_lost_while_redis_goes(self) -> None:
        """Content that the storage has lost is missing, and no outage."""
        for method, asks in (("stat", self.blobs.stat), ("reader", self.blobs.open)):
            self.redis.factory.size = 2
            self.clock.advance(RETRY_SECONDS)
            self.push()
            self.successResultOf(self.blobs.stat(DIGEST))
            self.successResultOf(self.driver.delete(layout.blob_data(DIGEST)))
            with patch.object(type(self.driver), method, self.last(method)):
                self.failureResultOf(asks(DIGEST), BlobUnknown)
            self.assertEqual(self.house.descriptors.owes, 1)

    def tagged(self) -> Any:
        """Give a manifest with a tag, which Docker's registry has asked for as well."""
        found = self.successResultOf(self.house.local.repository(RepositoryName("a")))
        self.manifests, self.tags = found.manifests, found.tags
        manifest = parse(image_manifest())
        self.successResultOf(self.manifests.put(manifest=manifest, tags=[Tag("t")]))
        remembered = self.house.descriptors.repository(name=RepositoryName("a"))
        done = remembered.set_descriptor(
            digest=manifest.digest, descriptor=manifest.descriptor
        )
        self.successResultOf(done)
        self.successResultOf(self.blobs.stat(manifest.digest))
        return manifest.digest

    def test_manifest(self) -> None:
        """One that another registry remembers as a blob goes from the cache, too."""
        digest = self.tagged()
        self.successResultOf(self.manifests.delete(digest=digest))
        self.failureResultOf(self.blobs.stat(digest), BlobUnknown)

    def test_manifest_without_redis(self) -> None:
        """While redis is away all of it stays; only a collection does not wait."""
        digest = self.tagged()
        self.redis.factory.size = 0
        self.failureResultOf(self.manifests.delete(digest=digest), Unavailable)
        self.assertTrue(self.successResultOf(self.manifests.exists(digest=digest)))
        self.assertEqual(self.successResultOf(self.tags.list()), [Tag("t")])
        self.clock.advance(1e6)
        done = self.manifests.collect(digest=digest, since=self.clock.seconds())
        self.assertTrue(self.successResultOf(done))
        self.assertEqual(self.successResultOf(self.tags.lookup(digest=digest)), [])
        self.assertEqual(self.house.descriptors.owes, 1)

    def last(self, method: str):
        """Give a method of the driver that redis does not outlive."""
        works = getattr(type(self.driver), method)

        def asked(driver, path: str, *args, **more):
            self.redis.factory.size = 0
            return works(driver, path, *args, **more)

        return asked
