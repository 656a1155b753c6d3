"""What anybody can have remembered, and how much of it there is at most."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from twisted.trial.unittest import SynchronousTestCase

from tests.remote.test_auth import AuthCase
from txregistry.flow.collected import BodyCollector
from txregistry.interfaces.referrers import Referrer
from txregistry.proxy import referrers, tag_answers
from txregistry.remote import auth, tokens
from txregistry.remote.challenges import MAX_CHALLENGES
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.gate import Gate
from txregistry.spec.manifest import lenient
from txregistry.spec.manifest.listing import entries_of
from txregistry.spec.manifest.push import PushPolicy
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.caches.descriptors import MemoryDescriptors
from txregistry.storage.caches.local import MANIFEST_BYTES, Caches
from txregistry.storage.index.names import Names
from txregistry.storage.repository import referrers as referring
from txregistry.testing.house import UPSTREAM, TestHouse

LONG = 300_000

T = TypeVar("T")


class WeightTests(SynchronousTestCase):
    """What is kept counts as much as it takes, whatever of it is long or many."""

    def setUp(self) -> None:
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)

    def taken(self, read: Callable[[bytes], T], entries: list[Any]) -> tuple[T, int]:
        """Give what is read of an index, and how much memory that takes."""
        content = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": mediatypes.OCI_INDEX,
                "manifests": entries,
                "annotations": {f"{number:x}": "" for number in range(1000)},
            }
        ).encode()
        before = tracemalloc.get_traced_memory()[0]
        found = read(content)
        return found, tracemalloc.get_traced_memory()[0] - before

    def test_anything_long_or_many(self) -> None:
        """Types, addresses, platforms and notes count, as do many that are short."""
        entry = {"mediaType": "a/b", "digest": str(Digest.of(b"x")), "size": 1}
        long = "x" * LONG
        for entries in (
            [{**entry, "mediaType": long}],
            [{**entry, "artifactType": long}],
            [{**entry, "urls": [long]}],
            [{**entry, "urls": [str(number) for number in range(20_000)]}],
            [{**entry, "platform": {"architecture": long}}],
            [{**entry, "platform": {"os": long}}],
            [{**entry, "annotations": {long: "", "note": long}}],
            [entry] * 3000,
        ):
            found, taken = self.taken(_listed, entries)
            counted = sum(item.memory_bytes for item in found)
            self.assertGreater(counted, taken * 0.9, str(entries)[:100])
            manifest, taken = self.taken(lenient.read, entries)
            counted = manifest.memory_bytes - len(manifest.content)
            self.assertGreater(counted, taken * 0.9, str(entries)[:100])

    def test_manifests(self) -> None:
        """Manifests are kept by what they take, and not by their length alone."""
        entry = {"mediaType": "a/b", "digest": str(Digest.of(b"x")), "size": 1}
        manifest, _ = self.taken(lenient.read, [entry] * 3000)
        caches = Caches(MemoryDescriptors(1))
        fitting = MANIFEST_BYTES // manifest.memory_bytes
        # By their length alone there would be room for more of them than are put in.
        self.assertLess(2 * fitting * len(manifest.content), MANIFEST_BYTES)
        for number in range(2 * fitting):
            digest = Digest.of(b"%d" % number)
            caches.manifests.remember(RepositoryName("a"), digest, manifest)
        self.assertLessEqual(len(caches.manifests), fitting)


def _listed(content: bytes) -> list[Referrer]:
    return [Referrer(*entry) for entry in entries_of(content)]


class CacheTests(SynchronousTestCase):
    """A cache, and somebody who asks for whatever is long."""

    def setUp(self) -> None:
        self.house = TestHouse()

    def listing(self, number: int) -> bytes:
        """Give a list of one referrer with a long annotation."""
        entry = {
            "mediaType": mediatypes.OCI_MANIFEST,
            "digest": str(Digest.of(b"%d" % number)),
            "size": 1,
            "annotations": {"note": "x" * LONG},
        }
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": mediatypes.OCI_INDEX,
                "manifests": [entry],
            }
        ).encode()

    def test_referrers(self) -> None:
        """Lists of many subjects take no more than their budget together."""
        self.patch(referrers, "MAX_BYTES", 4_000_000)
        self.house = TestHouse()
        memory = self.house.proxy._lists  # type: ignore[attr-defined]
        kept = 0
        for number in range(20):
            self.house.upstream.has_referrers = False
            subject = Digest.of(b"subject %d" % number)
            tag = f"{subject.algorithm}-{subject.hex}"
            self.house.upstream.add_manifest("a", self.listing(number), tag)
            got = self.house.get(f"/v2/a/referrers/{subject}")
            self.assertEqual((got.status, len(got.body) > LONG), (200, True))
            kept = max(kept, memory.used_bytes)
            self.assertGreaterEqual(memory.used_bytes, len(memory) * LONG)
        self.assertLessEqual(kept, referrers.MAX_BYTES)
        self.assertGreater(kept, referrers.MAX_BYTES // 2)

    def test_list_of_tags(self) -> None:
        """A long list is sorted without one tag asking another, which is slow."""

        def compared(one: Tag, other: Tag) -> bool:
            raise AssertionError("this is slow")

        self.patch(Tag, "__lt__", compared)
        tags = [f"v{number}" for number in range(1500)]
        self.house.upstream.add_manifest("a", self.listing(0), *tags)
        got = self.house.get("/v2/a/tags/list?n=900")
        self.assertEqual(json.loads(got.body)["tags"], sorted(tags)[:900])

    def test_nothing_waits_for_the_collector(self) -> None:
        """What was collected of an answer goes with it, and waits for no cycles."""
        seen: list[BodyCollector] = []
        take = BodyCollector.dataReceived

        def taken(collector: BodyCollector, data: bytes) -> None:
            seen.append(collector)
            take(collector, data)

        self.patch(BodyCollector, "dataReceived", taken)
        gc.disable()
        self.addCleanup(gc.enable)
        self.house.upstream.add_manifest("a", self.listing(1), "t")
        self.assertEqual(self.house.get("/v2/a/manifests/t").status, 200)
        self.assertEqual([one._pieces for one in seen], [[]] * len(seen))
        self.assertEqual([one._done for one in seen], [None] * len(seen))
        self.assertTrue(seen)

    def test_tags(self) -> None:
        """Answers for the tags of many repositories share one budget."""
        self.patch(tag_answers, "MAX_BYTES", 20_000)
        self.house = TestHouse()
        memory = self.house.proxy._cache.answers  # type: ignore[attr-defined]
        for number in range(60):
            name = f"{'n' * 50}{number}"
            tag = "t" * 100
            self.house.upstream.add_manifest(
                name, self.listing(number)[:-1] + b" }", tag
            )
            self.assertEqual(self.house.head(f"/v2/{name}/manifests/{tag}").status, 200)
            self.assertLessEqual(memory.used_bytes, 20_000)
        self.assertGreater(len(memory), 5)


class DemandTests(AuthCase):
    """An upstream whose demands are long, or many."""

    budget = 60_000

    def setUp(self) -> None:
        self.patch(auth, "MAX_BYTES", self.budget)
        self.patch(tokens, "_MAX_BYTES", self.budget)
        super().setUp()
        self.auth = self.house.client._agents.auth

    def ask_of_many(self, challenge: str, many: int = 40) -> None:
        for number in range(many):
            name = f"lib/n{number}"
            self.upstream.challenge = challenge
            digest = self.upstream.add_blob(name, b"%d" % number)
            self.assertEqual(self.status(f"/v2/{name}/blobs/{digest}"), 200)

    def test_long(self) -> None:
        """What repositories demand, and the tokens that meet it, have a budget."""
        long = 5_000
        self.ask_of_many(
            f'Bearer realm="{UPSTREAM}/token",service="{"s" * long}",note="n"'
        )
        for memory in (self.auth._challenges, self.auth._login._tokens._cache):
            self.assertGreater(len(memory), 5)
            self.assertGreater(memory.used_bytes, len(memory) * long)
            self.assertLessEqual(memory.used_bytes, self.budget)

    def test_what_nobody_looks_at(self) -> None:
        """Parameters that mean nothing to us are not remembered."""
        many = ",".join(f'x{number}="y"' for number in range(900))
        self.ask_of_many(f'Bearer realm="{UPSTREAM}/token",{many}', 8)
        self.assertEqual(len(self.auth._challenges), 8)
        for (challenge, *_), _ in self.auth._challenges._values._values.values():
            self.assertEqual(list(challenge.parameters), ["realm"])

    def test_many(self) -> None:
        """One question of a client costs few of a token service."""
        self.upstream.token = "another"
        self.upstream.challenge = ",".join(
            f'Bearer realm="{UPSTREAM}/token?{number}"' for number in range(150)
        )
        self.assertEqual(self.status(), 401)
        self.assertLessEqual(len(self.tokens.asked), 2 * MAX_CHALLENGES)


class RegistryTests(SynchronousTestCase):
    """A registry, and a list of referrers that somebody has pushed by its tag."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.subject = Digest.of(b"subject")

    def put(self, reference: str, document: dict[str, object]) -> Digest:
        content = json.dumps(document).encode()
        kind = str(document["mediaType"])
        path = f"/v2/a/manifests/{reference or Digest.of(content)}"
        put = self.house.send("PUT", path, content, Content_Type=kind)
        self.assertEqual(put.status, 201, put.body)
        return Digest.of(content)

    def index(self, entries: list[dict[str, object]]) -> dict[str, object]:
        return {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_INDEX,
            "manifests": entries,
        }

    def entry(self, digest: Digest) -> dict[str, object]:
        return {
            "mediaType": mediatypes.OCI_INDEX,
            "digest": str(digest),
            "size": 1,
            "artifactType": "x/y",
        }

    def ask(self, query: str = "") -> list[str]:
        got = self.house.send("GET", f"/v2/a/referrers/{self.subject}{query}")
        self.assertEqual(got.status, 200, got.body)
        return [item["digest"] for item in json.loads(got.body)["manifests"]]

    def count(self) -> list[int]:
        """Count the entries that are read, and the questions for manifests."""
        counts = [0, 0]
        read, ask = referring.valid_entries_of, Names.manifests

        def counted(content: bytes) -> Iterator[Any]:
            for entry in read(content):
                counts[0] += 1
                yield entry

        def asked(names: Names, *args: Any) -> Any:
            counts[1] += 1
            return ask(names, *args)

        self.patch(referring, "valid_entries_of", counted)
        self.patch(Names, "manifests", asked)
        return counts

    def test_long_list(self) -> None:
        """It is read once and in turns, and each of its entries is asked for once."""
        # As distribution can be told to: manifests of an index need not be there.
        self.house.serve_registry(policy=PushPolicy(platforms="none"))
        there = [
            self.put("", {**self.index([]), "annotations": {"n": str(number)}})
            for number in range(40)
        ]
        missing = [Digest.of(b"%d" % number) for number in range(20_000)]
        entries = [self.entry(digest) for digest in (*there, *there, *missing)]
        tag = f"{self.subject.algorithm}-{self.subject.hex}"
        self.put(tag, self.index(entries))
        counts = self.count()
        self.assertEqual(self.ask(), sorted(map(str, there)))
        self.assertEqual(counts[0], referring.MAX_ENTRIES)
        # Each asks for a part of the list, or gives a part of the page.
        self.assertLess(counts[1], referring.MAX_ENTRIES / 256 + 10)
        self.assertEqual(self.ask("?n=7"), sorted(map(str, there))[:7])
        self.assertEqual(counts[0], referring.MAX_ENTRIES)

    def test_deleted_meanwhile(self) -> None:
        """A list that was read does not remember what was there."""
        self.house.serve_registry(
            policy=PushPolicy(platforms="none"), gate=Gate(deletes=True)
        )
        one = self.put("", {**self.index([]), "annotations": {"n": "1"}})
        tag = f"{self.subject.algorithm}-{self.subject.hex}"
        self.put(tag, self.index([self.entry(one)]))
        self.assertEqual(self.ask(), [str(one)])
        deleted = self.house.send("DELETE", f"/v2/a/manifests/{one}")
        self.assertEqual(deleted.status, 202)
        self.assertEqual(self.ask(), [])
