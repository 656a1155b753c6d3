"""The marks of a collection, and the links that are looked at for them."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.storage.gc.test_garbage import AGES, CollectCase
from txregistry.interfaces.collection import CollectOptions, Progress
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.gc.marking import Marker, Run, layer_links
from txregistry.storage.tree import layout


class MarkingTests(CollectCase):
    """What one stage decides, before anything is deleted."""

    def run_of(self, **options: bool) -> Run:
        house = self.house
        house.clock.advance(AGES)
        self.told: list[Progress] = []
        return Run(
            house.driver,
            house.content,
            house.local,
            house.clock,
            CollectOptions(grace_seconds=1.0, **options),
            self.told.append,
            house.clock.seconds() - 1.0,
        )

    def mark(self, run: Run) -> None:
        self.house.settle(Marker(run).mark())

    def test_image(self) -> None:
        """A manifest is marked with what it refers to, and nothing else is."""
        image, layer = self.image("latest")
        alone = self.blob()
        run = self.run_of()
        self.mark(run)
        marked = [run.is_marked(Digest.parse(x)) for x in (image, layer, alone)]
        self.assertEqual(marked, [True, True, False])
        self.assertEqual(run.report.manifests_kept, 1)
        self.assertEqual(self.told, [Progress("mark", 1)])

    def test_untagged(self) -> None:
        """Only if asked to, it drops a manifest without a tag; a dry run counts it."""
        image, _ = self.image()
        for options, kept in (
            ({}, True),
            ({"delete_untagged": True, "dry_run": True}, False),
        ):
            run = self.run_of(**options)
            self.mark(run)
            self.assertEqual(run.is_marked(Digest.parse(image)), kept)
            self.assertEqual(run.report.manifests_deleted, not kept)

    def test_unreadable(self) -> None:
        """A manifest that is damaged may refer to anything: all links are marked."""
        image, _ = self.image("latest")
        alone = self.blob()
        path = layout.blob_data(Digest.parse(image))
        self.house.settle(self.house.driver.put(path, b"damaged"))
        run = self.run_of()
        self.mark(run)
        self.assertTrue(run.is_marked(Digest.parse(alone)))
        self.assertEqual(run.report.broken, [f"a/b@{image}"])

    def test_layer_links(self) -> None:
        """All of a repository are visited, and nothing that is no link."""
        name = RepositoryName.parse("a/b")
        blobs = {self.blob(), self.blob()}
        self.blob("c/d")
        stray = f"{layout.layers(name)}/sha256/short/link"
        self.house.settle(self.house.driver.put(stray, b"x"))

        async def visit() -> set[str]:
            return {str(link) async for link, _ in layer_links(self.house.driver, name)}

        found = self.house.settle(Deferred.fromCoroutine(visit()))
        self.assertEqual(found, blobs)
