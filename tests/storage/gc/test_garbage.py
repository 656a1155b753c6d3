"""Collection: every case of who refers to whom, and what happens meanwhile."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.collection import (
    CollectionBusy,
    CollectOptions,
    CollectReport,
    ICollector,
)
from txregistry.interfaces.driver import DriverError
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.gc.garbage import Collector
from txregistry.storage.tree import layout
from txregistry.storage.uploads.purge import LEFTOVER_SECONDS
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.testing.house import TestHouse

#: Long enough for what was pushed before to be old.
AGES = 10_000.0


class CollectCase(SynchronousTestCase):
    """A registry whose content is old, and a collector."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.collector = Collector(
            self.house.driver, self.house.content, self.house.local, self.house.clock
        )
        self.count = 0

    def blob(self, repository: str = "a/b", content: bytes | None = None) -> str:
        self.count += 1
        content = f"blob {self.count}".encode() if content is None else content
        digest = str(Digest.of(content))
        path = f"/v2/{repository}/blobs/uploads/?digest={digest}"
        self.assertEqual(self.house.send("POST", path, content).status, 201)
        return digest

    def manifest(self, reference: str | None, document: dict[str, Any]) -> str:
        content = json.dumps(document).encode()
        digest = str(Digest.of(content))
        got = self.house.send(
            "PUT",
            f"/v2/a/b/manifests/{reference or digest}",
            content,
            Content_Type=document["mediaType"],
        )
        self.assertEqual(got.status, 201, got.body)
        return digest

    def image(
        self, tag: str | None = None, layer: str = "", subject: str = ""
    ) -> tuple[str, str]:
        """Push an image; give its digest and its layer's."""
        self.count += 1
        layer = layer or self.blob()
        config = self.blob(content=f"config {self.count}".encode())
        document = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "config": self.descriptor(config, "application/x.config"),
            "layers": [self.descriptor(layer, "application/x.layer")],
        }
        if subject:
            document["subject"] = self.descriptor(subject, mediatypes.OCI_MANIFEST)
        return self.manifest(tag, document), layer

    def index(self, tag: str | None, *children: str) -> str:
        self.count += 1
        return self.manifest(
            tag,
            {
                "schemaVersion": 2,
                "mediaType": mediatypes.OCI_INDEX,
                "manifests": [
                    self.descriptor(child, mediatypes.OCI_MANIFEST)
                    for child in children
                ],
                "annotations": {"n": str(self.count)},
            },
        )

    def descriptor(self, digest: str, kind: str) -> dict[str, Any]:
        return {"mediaType": kind, "digest": digest, "size": 1}

    def delete(self, reference: str) -> None:
        got = self.house.send("DELETE", f"/v2/a/b/manifests/{reference}")
        self.assertEqual(got.status, 202)

    def start(self, **options: Any) -> Deferred[CollectReport]:
        self.house.clock.advance(AGES)
        wanted = CollectOptions(**{"grace_seconds": 60.0, **options})
        return self.collector.collect(options=wanted, tell=lambda progress: None)

    def collect(self, **options: Any) -> CollectReport:
        return self.house.settle(self.start(**options))

    def contents(self) -> set[str]:
        """Give the digests whose data is there."""
        parts = [p.split("/") for p in self.house.paths() if p.endswith("/data")]
        return {f"{part[-4]}:{part[-2]}" for part in parts if "blobs" in part}

    def manifests(self) -> set[str]:
        root = "/docker/registry/v2/repositories/a/b/_manifests/revisions"
        return {
            f"sha256:{path.split('/')[-2]}"
            for path in self.house.paths()
            if path.startswith(root) and path.endswith("/link")
        }


class KeepingTests(CollectCase):
    """What stays and what goes."""

    def test_interface(self) -> None:
        """The collector does what its interface says."""
        verifyObject(ICollector, self.collector)

    def test_nothing_deleted(self) -> None:
        """Where nothing was deleted nothing goes, tagged or not, indexes included."""
        first, _ = self.image("one")
        second, _ = self.image()
        self.index("both", first, second)
        before = self.contents()
        report = self.collect()
        self.assertEqual(self.contents(), before)
        self.assertEqual((report.blobs_deleted, report.manifests_deleted), (0, 0))

    def test_local_repositories_of_a_cache(self) -> None:
        """What others link stays, used or not, and so do their links."""
        local = self.blob()
        cached = self.blob("cached/a")
        shared = self.blob("cached/a")
        self.blob(content=b"blob 3")
        dangling = self.blob("cached/a")
        driver = self.house.driver
        self.house.settle(driver.delete(layout.blob(Digest.parse(dangling))))
        self.collector = Collector(
            driver,
            self.house.content,
            self.house.local,
            self.house.clock,
            lambda name: name.text == "a/b",
        )
        self.assertEqual(self.collect(delete_untagged=True).blobs_deleted, 1)
        self.assertEqual(self.contents(), {cached, shared})
        name = RepositoryName("cached/a")
        for digest in map(Digest.parse, (cached, shared, dangling)):
            self.assertIn(layout.layer_link(name, digest), self.house.paths())
        name = RepositoryName("a/b")
        link = layout.layer_link(name, Digest.parse(local))
        self.assertNotIn(link, self.house.paths())

    def test_untagged_manifests(self) -> None:
        """Without a tag they go if that is asked for; a dry run changes nothing."""
        self.image()
        self.image()
        before = set(self.house.paths())
        report = self.collect(delete_untagged=True, dry_run=True)
        self.assertEqual(set(self.house.paths()), before)
        self.assertEqual((report.manifests_deleted, report.blobs_deleted), (2, 6))
        report = self.collect(delete_untagged=True)
        self.assertEqual((report.manifests_deleted, report.blobs_deleted), (2, 6))
        self.assertEqual((self.contents(), self.manifests()), (set(), set()))

    def test_index_with_a_deleted_child(self) -> None:
        """The child's content goes; the index and its other child stay."""
        first, first_layer = self.image()
        second, second_layer = self.image()
        index = self.index("both", first, second)
        self.delete(first)
        self.collect(delete_untagged=True)
        self.assertEqual(self.manifests(), {index, second})
        self.assertIn(second_layer, self.contents())
        self.assertNotIn(first_layer, self.contents())

    def test_untagging_an_index(self) -> None:
        """Children stay with a tagged index, and go with it when it is untagged."""
        first, _ = self.image()
        self.index("both", first)
        self.collect(delete_untagged=True)
        self.assertEqual(len(self.manifests()), 2)
        self.delete("both")
        self.collect(delete_untagged=True)
        self.assertEqual((self.contents(), self.manifests()), (set(), set()))

    def test_tagged_child_of_an_untagged_index(self) -> None:
        """The index goes, the child that has a tag stays."""
        first, layer = self.image("child")
        self.index(None, first)
        self.collect(delete_untagged=True)
        self.assertEqual(self.manifests(), {first})
        self.assertIn(layer, self.contents())

    def test_untagged_index_whose_children_are_gone(self) -> None:
        """Everything goes."""
        first, _ = self.image()
        self.index(None, first)
        self.delete(first)
        self.collect(delete_untagged=True)
        self.assertEqual((self.contents(), self.manifests()), (set(), set()))

    def test_shared_layers(self) -> None:
        """A layer that another image has as well stays with that one."""
        first, layer = self.image("one")
        second, _ = self.image("two", layer)
        self.delete(first)
        self.collect()
        self.assertEqual(self.manifests(), {second})
        self.assertIn(layer, self.contents())

    def test_layers_without_a_manifest(self) -> None:
        """They go, and their links with them; a repository of only such as well."""
        self.image("one")
        orphan, elsewhere = self.blob(), self.blob("c/d")
        report = self.collect()
        self.assertEqual(report.links_deleted, 2)
        self.assertEqual({orphan, elsewhere} & self.contents(), set())
        got = self.house.send("GET", "/v2/_catalog")
        self.assertEqual(json.loads(got.body)["repositories"], ["a/b"])
        self.assertEqual(self.house.send("HEAD", f"/v2/a/b/blobs/{orphan}").status, 404)

    def test_orphan_content(self) -> None:
        """Content that no repository links goes."""
        path = layout.blob_data(Digest.of(b"x"))
        self.house.settle(self.house.driver.put(path, b"x"))
        self.assertEqual(self.collect().blobs_deleted, 1)

    def test_referrers(self) -> None:
        """What refers to something that stays, stays, however many steps away; what
        refers to something that goes, goes."""
        first, _ = self.image("one")
        signature, _ = self.image(subject=first)
        of_signature, _ = self.image(subject=signature)
        second, _ = self.image()
        self.image(subject=second)
        self.collect(delete_untagged=True)
        self.assertEqual(self.manifests(), {first, signature, of_signature})

    def test_aliases(self) -> None:
        """A layer that a manifest names by another digest is the same content."""
        content = b"known by two names"
        alias = str(Digest.of(content, "sha512"))
        path = f"/v2/a/b/blobs/uploads/?digest={alias}"
        self.house.send("POST", path, content)
        self.image("one", alias)
        self.collect(delete_untagged=True)
        self.assertEqual(self.house.send("GET", f"/v2/a/b/blobs/{alias}").body, content)

    def test_history_of_tags(self) -> None:
        """What a tag once stood for is forgotten with the manifest."""
        first, _ = self.image("one")
        self.image("one")
        self.collect(delete_untagged=True)
        digits = first.partition(":")[2]
        self.assertEqual([p for p in self.house.paths() if digits in p], [])

    def test_manifest_that_was_set_aside(self) -> None:
        """What a damaged manifest refers to stays as well when somebody has read it."""
        digest, layer = self.image("v1")
        self.house.content._caches.manifests.drop_everywhere(Digest.parse(digest))
        path = layout.blob_data(Digest.parse(digest))
        self.house.settle(self.house.driver.put(path, b"damaged"))
        got = self.house.send("GET", "/v2/a/b/manifests/v1")
        self.assertEqual(got.status, 404)
        self.assertNotIn(path, self.house.paths())
        report = self.collect()
        self.assertEqual((report.blobs_deleted, report.links_deleted), (0, 0))
        self.assertEqual(report.broken, [f"a/b@{digest}"])
        got = self.house.send("GET", f"/v2/a/b/blobs/{layer}")
        self.assertEqual(got.status, 200)

    def test_layer_that_was_set_aside(self) -> None:
        """The link to a damaged layer stays: it may be put back."""
        _, layer = self.image("v1")
        path = layout.blob_data(Digest.parse(layer))
        self.house.settle(self.house.driver.put(path, b"damaged"))
        got = self.house.send("GET", f"/v2/a/b/blobs/{layer}")
        self.assertEqual(got.status, 404)
        self.assertEqual(self.collect().links_deleted, 0)

    def test_broken_manifest(self) -> None:
        """What a damaged one refers to is not known: nothing of its repository goes,
        and what others hold is collected all the same."""
        first, layer = self.image("one")
        orphan = self.blob("c/d")
        path = layout.blob_data(Digest.parse(first))
        self.house.settle(self.house.driver.put(path, b"damaged"))
        report = self.collect()
        self.assertEqual(report.broken, [f"a/b@{first}"])
        self.assertIn(first, self.manifests())
        self.assertIn(layer, self.contents())
        self.assertNotIn(orphan, self.contents())

    def test_missing_manifest(self) -> None:
        """One whose content is gone keeps nothing but its link."""
        first, layer = self.image("one")
        path = layout.blob_data(Digest.parse(first))
        self.house.settle(self.house.driver.delete(path))
        report = self.collect()
        self.assertEqual(report.broken, [f"a/b@{first}"])
        self.assertNotIn(layer, self.contents())

    def test_storage_that_fails(self) -> None:
        """What cannot be read now may be readable later: nothing is deleted."""
        first, layer = self.image("one")
        self.blob()
        before = self.contents()
        real = self.house.driver.get
        broken = layout.blob_data(Digest.parse(first))

        def get(path: str) -> Any:
            if path == broken:
                return fail(DriverError("inmemory", path, "input/output error"))
            return real(path=path)

        self.patch(type(self.house.driver), "get", lambda _, path: get(path))
        with self.assertRaises(DriverError):
            self.collect(delete_untagged=True)
        self.assertEqual(self.contents(), before)
        self.assertIn(layer, before)

    def test_child_that_an_index_has_just_called_for(self) -> None:
        """A child that a new index refers to stays with all that it refers to."""
        child, layer = self.image()
        for _ in range(40):
            self.image()
        collecting = self.start(delete_untagged=True, grace_seconds=0.0)
        got = self.house.send(
            "PUT",
            "/v2/a/b/manifests/late",
            json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": mediatypes.OCI_INDEX,
                    "manifests": [self.descriptor(child, mediatypes.OCI_MANIFEST)],
                }
            ).encode(),
            Content_Type=mediatypes.OCI_INDEX,
        )
        self.house.settle(collecting)
        there = child in self.manifests() and {child, layer} <= self.contents()
        self.assertEqual(got.status == 201, there, got.body)

    def test_a_push_after_it(self) -> None:
        """What was collected can be pushed again, though it was known before."""
        layer = self.blob(content=b"again")
        self.house.send("HEAD", f"/v2/a/b/blobs/{layer}")
        self.collect()
        self.assertEqual(self.house.send("HEAD", f"/v2/a/b/blobs/{layer}").status, 404)
        self.blob(content=b"again")
        self.assertEqual(
            self.house.send("GET", f"/v2/a/b/blobs/{layer}").body, b"again"
        )


class LeftoverTests(SynchronousTestCase):
    """What crashes left beside what is there."""

    def test_go_with_a_collection(self) -> None:
        """When they are old, whatever the grace is, and not in a dry run."""
        root = self.mktemp()
        house = TestHouse(driver=FilesystemDriver(root, InlineDisk()))
        house.settle(house.driver.put("/docker/registry/v2/blobs/x", b"x"))
        directory = f"{root}/docker/registry/v2/blobs"
        for age in (LEFTOVER_SECONDS + 1, LEFTOVER_SECONDS - 1):
            with open(f"{directory}/x.{uuid.uuid4()}.tmp", "xb") as file:
                os.utime(file.fileno(), (0, house.clock.seconds() - age))
        collector = Collector(house.driver, house.content, house.local, house.clock)
        found = []
        for dry_run in (True, False):
            options = CollectOptions(dry_run, False, 0.0)
            done = collector.collect(options=options, tell=lambda _: None)
            found.append(house.settle(done).leftovers_deleted)
        self.assertEqual(found, [0, 1])
        self.assertEqual(len(os.listdir(directory)), 2)


class MeanwhileTests(CollectCase):
    """What is used while it collects."""

    def test_grace(self) -> None:
        """What was written within the grace stays, and so does what was linked."""
        orphan = self.blob()
        self.collect(grace_seconds=2 * AGES)
        self.assertIn(orphan, self.contents())
        self.house.clock.advance(AGES)
        path = f"/v2/c/d/blobs/uploads/?mount={orphan}&from=a/b"
        self.assertEqual(self.house.send("POST", path).status, 201)
        wanted = CollectOptions(grace_seconds=60.0)
        done = self.collector.collect(options=wanted, tell=lambda progress: None)
        self.house.settle(done)
        self.assertIn(orphan, self.contents())

    def test_a_client_that_has_just_looked(self) -> None:
        """A blob that a client asked for is about to be referred to."""
        orphan = self.blob()
        self.house.clock.advance(AGES)
        self.house.send("HEAD", f"/v2/a/b/blobs/{orphan}")
        wanted = CollectOptions(grace_seconds=60.0)
        done = self.collector.collect(options=wanted, tell=lambda progress: None)
        self.house.settle(done)
        self.assertIn(orphan, self.contents())

    def test_being_read(self) -> None:
        """Content that is being read stays until the next time."""
        orphan = Digest.parse(self.blob())
        release = self.house.content.leases.take(orphan)
        self.collect()
        self.assertIn(str(orphan), self.contents())
        release()
        self.collect()
        self.assertNotIn(str(orphan), self.contents())

    def test_manifest_pushed_between_mark_and_sweep(self) -> None:
        """A manifest that is accepted while it collects keeps what it refers to."""
        layer, config = self.blob(), self.blob()
        # So much content that the sweep takes many turns.
        for _ in range(80):
            self.blob()
        collecting = self.start(grace_seconds=0.0)
        document = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "config": self.descriptor(config, "application/x.config"),
            "layers": [self.descriptor(layer, "application/x.layer")],
        }
        content = json.dumps(document).encode()
        got = self.house.send(
            "PUT",
            "/v2/a/b/manifests/late",
            content,
            Content_Type=mediatypes.OCI_MANIFEST,
        )
        self.house.settle(collecting)
        there = {layer, config} <= self.contents()
        # Either it was accepted and all is there, or the client was told.
        self.assertEqual((got.status == 201), there, got.body)
        self.assertIn(got.status, (201, 400))

    def test_one_at_a_time(self) -> None:
        """A second collection is refused, and the first goes on."""
        for _ in range(80):
            self.blob()
        first = self.start()
        second = self.collector.collect(
            options=CollectOptions(), tell=lambda progress: None
        )
        self.failureResultOf(second, CollectionBusy)
        self.assertEqual(self.house.settle(first).blobs_deleted, 80)

    def test_cancelled(self) -> None:
        """It can be stopped, and begun again."""
        for _ in range(80):
            self.blob()
        first = self.start()
        first.addErrback(lambda _: None)
        first.cancel()
        self.assertEqual(self.collect().blobs_deleted, 80)

    def test_progress(self) -> None:
        """It tells how far it is, stage by stage."""
        self.image("one")
        told: list[tuple[str, int]] = []
        done = self.collector.collect(
            options=CollectOptions(),
            tell=lambda progress: told.append((progress.stage, progress.done)),
        )
        self.house.settle(done)
        self.assertEqual(told, [("mark", 1), ("sweep", 3), ("links", 1)])
