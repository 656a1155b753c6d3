"""What a cache knows of tags."""

from __future__ import annotations

import attrs
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy.known_tags import KnownTags
from txregistry.proxy.tag_answers import SeenTag
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.errors import ManifestUnknown
from txregistry.spec.manifest import parse
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest

NAME, V1 = RepositoryName("lib/x"), Tag("v1")


class KnownTagsTests(SynchronousTestCase):
    """Answers of an upstream, remembered and stored."""

    def setUp(self) -> None:
        self.house = TestHouse()
        repository = self.house.settle(self.house.proxy.repository(NAME))
        self.known: KnownTags = repository.tags._known
        self.manifest = parse.parse(image_manifest())
        self.hint = Descriptor(
            self.manifest.descriptor.digest, None, mediatypes.OCI_MANIFEST
        )

    def stored(self) -> Descriptor:
        return self.successResultOf(self.known.stored(V1))

    def test_nothing(self) -> None:
        """Of what nobody has asked for nothing is known, and nothing goes."""
        self.assertIsNone(self.known.seen(V1))
        self.failureResultOf(self.known.stored(V1), ManifestUnknown)
        self.successResultOf(self.known.delete(V1))

    def test_a_manifest(self) -> None:
        """It is stored, and the tag stands for it."""
        got = self.successResultOf(self.known.record(V1, self.manifest))
        self.assertEqual(got, self.manifest.descriptor)
        self.assertEqual(self.stored().digest, got.digest)
        now = self.house.clock.seconds()
        self.assertEqual(self.known.seen(V1), SeenTag(got, now))
        self.house.clock.advance(9)
        at = self.successResultOf(self.known.confirmed_at(V1, self.stored()))
        self.assertEqual(at, now)

    def test_a_hint(self) -> None:
        """The tag stands for it once the manifest is here, and not before."""
        got = self.successResultOf(self.known.record(V1, self.hint))
        self.assertEqual(got, self.hint)
        self.failureResultOf(self.known.stored(V1), ManifestUnknown)
        seen = self.known.seen(V1)
        assert seen is not None
        self.assertTrue(seen.is_hint)
        self.assertIs(self.successResultOf(self.known.complete(V1, seen)), seen)
        self.successResultOf(self.known._store_manifest(self.manifest))
        whole = self.successResultOf(self.known.complete(V1, seen))
        self.assertEqual(whole, SeenTag(self.manifest.descriptor, seen.confirmed_at))
        self.assertEqual(self.known.seen(V1), whole)

    def test_another_answer(self) -> None:
        """Of what is stored and was not asked about lately, the ledger knows when."""
        self.house.clock.advance(100)
        self.successResultOf(self.known.record(V1, self.manifest))
        now, stored = self.house.clock.seconds(), self.stored()
        self.known.forget(V1)
        self.assertIsNone(self.known.seen(V1))
        at = self.successResultOf(self.known.confirmed_at(V1, stored))
        self.assertEqual(at, now)
        never = self.successResultOf(self.known.confirmed_at(Tag("v2"), stored))
        self.assertEqual(never, self.known._cache.started_at)

    def test_deleted(self) -> None:
        """Nothing of it is left."""
        self.successResultOf(self.known.record(V1, self.manifest))
        self.successResultOf(self.known.delete(V1))
        self.assertIsNone(self.known.seen(V1))
        self.failureResultOf(self.known.stored(V1), ManifestUnknown)

    def test_changes(self) -> None:
        """It is one when a tag stands for something else, or is forgotten."""
        changes = self.known._cache.changes

        def has_changed() -> bool:
            nonlocal then
            then, before = changes.now, then
            return changes.since(before, str(NAME))

        then = changes.now
        self.successResultOf(self.known.record(V1, self.manifest))
        self.assertTrue(has_changed())
        self.successResultOf(self.known.record(V1, self.hint))
        self.assertFalse(has_changed())
        self.known.forget(V1)
        self.assertTrue(has_changed())

    def test_adopted(self) -> None:
        """It counts as confirmed when it was, elsewhere."""
        self.successResultOf(self.known._store_manifest(self.manifest))
        then = self.house.clock.seconds() - 500
        found = self.manifest.descriptor
        self.successResultOf(self.known.adopt(V1, found, then))
        self.assertEqual(self.stored().digest, found.digest)
        self.assertEqual(self.known.seen(V1), SeenTag(found, then))

    def test_not_stored(self) -> None:
        """A manifest for which there is no room is remembered, and not linked."""
        known = attrs.evolve(self.known, store_manifest=lambda _: succeed(False))
        got = self.successResultOf(known.record(V1, self.manifest))
        self.assertEqual(got, self.manifest.descriptor)
        self.assertIsNotNone(known.seen(V1))
        self.failureResultOf(known.stored(V1), ManifestUnknown)
