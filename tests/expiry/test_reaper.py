"""How each kind of thing goes."""

from __future__ import annotations

from tests.expiry.test_expiry import ExpiryCase
from txregistry.interfaces.expiry import Entry, EntryKey, Kind
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault


class ReaperTests(ExpiryCase):
    """Links first, and content when nobody links it."""

    def test_shared_content_stays(self) -> None:
        """Data goes only when no repository links it any more."""
        self.house.get(self.target)
        self.pass_time(600)
        self.house.get(f"/v2/b/c/blobs/{self.blob}")
        self.pass_time(600)
        self.assertTrue(self.is_stored(self.blob))
        held = layout.layer_link(RepositoryName("a"), self.blob)
        self.assertNotIn(held, self.house.paths())
        got = self.house.get(f"/v2/b/c/blobs/{self.blob}")
        self.assertEqual(got.body, self.content)
        self.pass_time(1200)
        self.assertEqual(self.house.paths(), [])

    def test_reader_that_comes_while_it_goes(self) -> None:
        """Data that is read at the last moment goes at the next occasion."""
        self.house.get(self.target)
        release = self.house.content.leases.take(self.blob)
        entry = Entry(
            EntryKey(RepositoryName("a"), Kind.BLOB, str(self.blob)), 5000, 0.0
        )
        done = self.house.scheduler._functions[Kind.BLOB](entry)
        self.successResultOf(done)
        self.assertTrue(self.is_stored(self.blob))
        release()
        self.pass_time(1500)
        self.assertEqual(self.house.paths(), [])

    def test_manifests_and_tags_go(self) -> None:
        """A manifest goes with its tags, and leaves no directory behind."""
        self.house.upstream.add_manifest("a", image_manifest(), "v1", "v2")
        self.house.get("/v2/a/manifests/v1")
        self.house.get("/v2/a/manifests/v2")
        self.pass_time(1500)
        self.assertEqual(self.house.paths(), [])

    def test_tag_goes_and_its_manifest_stays_in_use(self) -> None:
        """A tag nobody asks for goes; the manifest has a life of its own."""
        digest = self.house.upstream.add_manifest("a", image_manifest(), "v1")
        self.house.get("/v2/a/manifests/v1")
        for _ in range(3):
            self.pass_time(600)
            self.house.get(f"/v2/a/manifests/{digest}")
        name = RepositoryName("a")
        self.assertNotIn(layout.tag_current(name, _tag("v1")), self.house.paths())
        self.assertIn(layout.revision_link(name, digest), self.house.paths())

    def test_caches_are_cleared_first(self) -> None:
        """No descriptor of what has gone is remembered."""
        self.house.get(self.target)
        self.house.get(f"/v2/b/c/blobs/{self.blob}")
        self.pass_time(1500)
        self.house.upstream.faults.append(Fault("/blobs/", times=9, status=404))
        for name in ("a", "b/c"):
            self.assertEqual(
                self.house.head(f"/v2/{name}/blobs/{self.blob}").status, 404
            )

    def test_already_gone(self) -> None:
        """What somebody else has deleted meanwhile is no failure."""
        name, reaper = RepositoryName("a"), self.house.scheduler._reaper
        for kind, reference in (
            (Kind.BLOB, str(self.blob)),
            (Kind.MANIFEST, str(Digest.of(b"m"))),
            (Kind.TAG, "v1"),
        ):
            entry = Entry(EntryKey(name, kind, reference), 5, 0.0)
            self.ok(reaper.functions()[kind](entry))
        self.assertEqual(self.house.paths(), [])

    def test_in_use(self) -> None:
        """Content that is read is in use; a tag never is."""
        reaper = self.house.scheduler._reaper
        blob = Entry(EntryKey(RepositoryName("a"), Kind.BLOB, str(self.blob)), 5, 0.0)
        tag = Entry(EntryKey(RepositoryName("a"), Kind.TAG, "v1"), 0, 0.0)
        self.assertFalse(reaper.is_in_use(blob))
        release = self.house.content.leases.take(self.blob)
        self.assertTrue(reaper.is_in_use(blob))
        self.assertFalse(reaper.is_in_use(tag))
        release()
        self.assertFalse(reaper.is_in_use(blob))


def _tag(text: str):
    from txregistry.spec.reference import Tag

    return Tag(text)
