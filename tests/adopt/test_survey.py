"""What lies in a storage directory, and what of it is odd."""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.adopt.fakes import write
from txregistry.adopt import survey as module
from txregistry.adopt.access import Who, who_is
from txregistry.adopt.counts import Survey
from txregistry.adopt.survey import survey
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.tree import layout

ME = Who("me", os.getuid(), os.getgid(), frozenset([os.getgid()]))
NAME = RepositoryName("team/app")


class SurveyTests(SynchronousTestCase):
    """A directory as docker-registry fills it."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()

    def write(self, path: str, content: str = "") -> Path:
        return write(self.root / path.removeprefix("/"), content)

    def blob(self, content: str) -> Digest:
        digest = Digest.of(content.encode())
        self.write(layout.blob_data(digest), content)
        return digest

    def manifest(self, content: str, tag: str = "v1") -> Digest:
        digest = self.blob(content)
        self.write(layout.revision_link(NAME, digest), str(digest))
        self.write(layout.tag_current(NAME, Tag(tag)), str(digest))
        self.write(layout.tag_index(NAME, Tag(tag), digest), str(digest))
        return digest

    def look(self, verify: int = 0, who: Who = ME) -> Survey:
        return survey(str(self.root), who, verify, Random(1))

    def odd(self) -> dict[str, int]:
        return {kind: oddity.count for kind, oddity in self.look().oddities.items()}

    def test_counts(self) -> None:
        """Repositories, tags, manifests, blobs and their bytes; nothing is odd."""
        layer = self.blob("a layer")
        self.write(layout.layer_link(NAME, layer), str(layer))
        self.manifest('{"schemaVersion": 2}')
        self.manifest('{"schemaVersion": 1}', "old")
        self.write(layout.upload_data(NAME, "u1"), "half")
        self.write(layout.upload_started_at(NAME, "u1"), "2024-01-01T00:00:00Z")
        self.write(f"{layout.upload_hash_states(NAME, 'u1')}/sha256/0", "x")
        found = self.look()
        self.assertEqual((found.repositories, found.tags, found.manifests), (1, 2, 2))
        self.assertEqual((found.blobs, found.bytes), (3, 47))
        self.assertEqual((found.layers, found.schema1), (1, 1))
        self.assertEqual((found.uploads, found.upload_bytes), (1, 4))
        self.assertFalse(found.has_state)
        self.assertGreater(found.free_bytes, 0)
        self.assertEqual(found.oddities, {})

    def test_nested_repositories(self) -> None:
        """Each counts, the one around another as well."""
        for name in ("a", "a/b", "a/b/c"):
            digest = self.blob(name)
            self.write(layout.layer_link(RepositoryName(name), digest), str(digest))
        self.assertEqual(self.look().repositories, 3)

    def test_state_of_a_cache(self) -> None:
        """Its entries are counted; what is no JSON is told."""
        entry = {"Key": "a@sha256:x", "ExpiryData": "2024-01-01T00:00:00Z"}
        self.write(layout.SCHEDULER_STATE, json.dumps({"a@sha256:x": entry}))
        self.assertEqual((self.look().scheduled, self.look().has_state), (1, True))
        self.write(layout.SCHEDULER_STATE, "{")
        self.assertEqual(self.odd(), {"state": 1})

    def test_foreign_and_misnamed(self) -> None:
        """What is of others is passed over; a name that is no digest is told."""
        self.write("lost+found/x")
        self.write("docker/registry/v2/repositories/a/_layers/.snapshot/x")
        self.write("docker/registry/v2/blobs/sha256/ab/none/data")
        self.write(f"docker/registry/v2/blobs/sha256/ab/{'cd' * 32}/data")
        self.write("docker/registry/v2/repositories/a/_manifests/odd/link")
        self.assertEqual(self.odd(), {"foreign": 2, "misnamed": 3})
        self.assertEqual(self.look().blobs, 0)

    def test_ours(self) -> None:
        """What we have left there ourselves is nothing odd."""
        self.write("txregistry/index.sqlite3")
        self.assertEqual(self.odd(), {})

    def test_links_to_nothing(self) -> None:
        """Manifests that are gone are told, and blobs that a collection has taken."""
        digest = self.manifest("{}")
        self.write(layout.layer_link(NAME, digest), str(digest))
        (self.root / layout.blob_data(digest).removeprefix("/")).unlink()
        self.write(layout.tag_current(NAME, Tag("bad")), "no digest")
        self.write(f"{layout.layers(NAME)}/sha256/{'a' * 65}/link")
        expected = {"dangling": 1, "collected": 1, "broken": 1, "misnamed": 1}
        self.assertEqual(self.odd(), expected)

    def test_uploads_without_a_beginning(self) -> None:
        """They are told, as nobody goes on with them."""
        self.write(layout.upload_data(NAME, "u1"), "half")
        self.assertEqual(self.odd(), {"upload": 1})

    def test_damage(self) -> None:
        """Of the blobs that are hashed, those that differ are told."""
        digest = self.blob("content")
        for number in range(9):
            self.blob(str(number))
        self.write(layout.blob_data(digest), "contend")
        self.assertEqual((self.look(3).verified, self.look(0).verified), (3, 0))
        found = self.look(100)
        self.assertEqual((found.verified, found.oddities["damaged"].count), (10, 1))
        self.assertEqual(found.oddities["damaged"].examples, [layout.blob_data(digest)])

    def test_owners_and_modes(self) -> None:
        """Files of others are told, and those that the service cannot use."""
        path = layout.blob_data(self.blob("x"))
        other = Who("other", 54321, 54321, frozenset([54321]))
        directories = len([x for x in self.root.rglob("*") if x.is_dir()]) + 1
        found = self.look(who=other).oddities
        self.assertEqual(found["closed"].count, directories)
        self.assertEqual(found["owner"].examples, [path])
        (self.root / path.removeprefix("/")).chmod(0o200)
        found = self.look(who=other).oddities
        self.assertEqual(found["closed"].count, directories + 1)
        self.assertNotIn("owner", found)

    def test_links_of_the_file_system(self) -> None:
        """Symbolic links are told and not followed, and no pipe is waited for."""
        path = self.write(layout.tag_current(NAME, Tag("v1")))
        path.unlink()
        os.mkfifo(path)
        (self.root / "docker/registry/v2/blobs").symlink_to(self.root)
        self.assertEqual(self.odd(), {"special": 2})

    def test_examples(self) -> None:
        """A few examples are kept of each kind, and all are counted."""
        for number in range(20):
            self.write(f"{number}.txt")
        found = self.look().oddities["foreign"]
        self.assertEqual((found.count, len(found.examples)), (20, 5))

    def test_missing(self) -> None:
        """A directory that is not there is told."""
        self.root.rmdir()
        self.assertEqual(self.odd(), {"missing": 1})

    def test_unreadable(self) -> None:
        """What the disk does not give is told, and all else goes on."""
        bad = self.blob("bad")
        self.manifest("{}")
        self.write("docker/registry/v2/repositories/a/_layers/sha256/x")
        scan = os.scandir

        def scandir(path: str) -> object:
            if path.endswith("/_layers") or bad.hex in path:
                raise OSError(5, "Input/output error")
            return scan(path)

        def read(path: str, *_: object) -> None:
            raise OSError(5, "Input/output error")

        self.patch(os, "scandir", scandir)
        self.assertEqual(self.odd(), {"unreadable": 2})
        self.assertEqual(self.look().tags, 1)
        module.open = read
        self.addCleanup(delattr, module, "open")
        found = self.look(9)
        self.assertEqual((found.tags, found.verified), (0, 0))
        self.assertEqual(found.oddities["unreadable"].count, 5)

    def test_progress(self) -> None:
        """Says every thousand files how many there were."""
        told: list[int] = []
        for number in range(1001):
            self.write(f"{number}.txt")
        survey(str(self.root), ME, 0, Random(1), told.append)
        self.assertEqual(told, [1000])


class WhoTests(SynchronousTestCase):
    """Users by their names."""

    def test_names_and_numbers(self) -> None:
        """A unit may have either; a group of its own counts more than the user's."""
        self.assertEqual(who_is("root"), who_is("0"))
        self.assertEqual(who_is("root", "0").gid, 0)
        self.assertEqual(who_is("nobody", "root").gid, 0)
        self.assertRaises(KeyError, who_is, "nobody-of-that-name")

    def test_root(self) -> None:
        """May use whatever there is."""
        self.assertTrue(who_is("root").may_use(os.stat("/etc/shadow")))
        self.assertFalse(who_is("nobody").may_use(os.stat("/etc")))
