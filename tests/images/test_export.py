"""What an image is made of, for whoever carries it away."""

from __future__ import annotations

import json
from typing import Any

from zope.interface.verify import verifyObject

from tests.images.cases import ImagesCase
from txregistry.flow.streams import BoundedConsumer
from txregistry.images.export import Exporter
from txregistry.interfaces.images import ImagesRefused
from txregistry.interfaces.transfers import ExportPlan, IImageExporter, PartKind
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.platforms import WantedPlatform


class ExportTests(ImagesCase):
    """Plans, and their parts."""

    def setUp(self) -> None:
        super().setUp()
        house = self.house
        self.exporter = Exporter(
            lambda: house.proxy,
            lambda: house.table,
            house.local,
            house.content,
            house.clock,
        )
        verifyObject(IImageExporter, self.exporter)

    def planning(self, name: str, *platforms: str, **options: Any):
        wanted = [WantedPlatform.parse(text) for text in platforms]
        return self.exporter.plan(self.images.named(name), wanted, **options)

    def plan(self, name: str, *platforms: str, **options: Any) -> ExportPlan:
        return self.house.settle(self.planning(name, *platforms, **options))

    def refusal(self, name: str, *platforms: str) -> str:
        failing = self.planning(name, *platforms)
        self.house.pump()
        return str(self.failureResultOf(failing, ImagesRefused).value)

    def kinds(self, plan: ExportPlan) -> list[int]:
        kinds = [part.kind for part in plan.parts]
        return [kinds.count(PartKind.MANIFEST), kinds.count(PartKind.BLOB)]

    def read(self, digest: str) -> bytes:
        reader = self.house.settle(self.exporter.open(Digest.parse(digest)))
        self.addCleanup(reader.close)
        consumer = BoundedConsumer(10**6)
        self.house.settle(reader.read(consumer=consumer))
        return consumer.content

    def test_whole(self) -> None:
        """Each manifest and blob once, with the name that everybody knows it by."""
        top = self.put_image("corp")
        self.warm("corp/org/app:v1")
        plan = self.plan("corp/org/app:v1")
        self.assertEqual(plan.image, "corp/org/app:v1")
        self.assertEqual(plan.full_name, "corp.example:5000/org/app:v1")
        self.assertEqual(
            (plan.digest, plan.media_type), (str(top), mediatypes.OCI_INDEX)
        )
        self.assertEqual(plan.confirmed_at, self.house.clock.seconds())
        # One layer is shared by all three.
        self.assertEqual(self.kinds(plan), [4, 7])
        for part in plan.parts:
            content = self.read(part.digest)
            self.assertEqual(str(Digest.of(content)), part.digest)
            self.assertEqual(len(content), part.size)
        self.assertEqual(len(self.read(str(top))), plan.size)

    def test_platforms(self) -> None:
        """Only those that are named, or of which something is here."""
        self.put_image("ghcr.io")
        self.warm("ghcr.io/org/app:v1", "linux/amd64")
        for platforms in ((), ("linux/amd64",)):
            plan = self.plan("ghcr.io/org/app:v1", *platforms)
            self.assertEqual(self.kinds(plan), [2, 3])
        said = self.refusal("ghcr.io/org/app:v1", "linux/arm64")
        self.assertIn("linux/arm64/v8 is not here", said)

    def test_not_whole(self) -> None:
        """An image that lacks a blob is no image, but for who wants what is here."""
        name = "ghcr.io/org/app:v1"
        self.assertEqual(self.refusal(name), f"{name}: not here")
        self.assertEqual(self.plan(name, is_partial=True).parts, ())
        top = self.put_image("ghcr.io")
        index = json.loads(self.several.get("/v2/ghcr.io/org/app/manifests/v1").body)
        self.assertIn("no platform of it is here", self.refusal(name))
        child = index["manifests"][0]["digest"]
        self.several.get(f"/v2/ghcr.io/org/app/manifests/{child}")
        self.assertIn("3 blobs of linux/amd64 not here", self.refusal(name))
        plan = self.plan(name, is_partial=True)
        self.assertEqual([part.digest for part in plan.parts], [str(top)])

    def test_gone(self) -> None:
        """What went meanwhile is no part any more."""
        failing = self.exporter.open(Digest.of(b"gone"))
        self.house.pump()
        said = str(self.failureResultOf(failing, ImagesRefused).value)
        self.assertIn("is not here any more", said)

    def test_referrers(self) -> None:
        """A signature comes with what it signs, and is marked as one."""
        top = self.put_image("corp")
        signature = self.put_signature("corp", top)
        self.warm("corp/org/app:v1")
        plan = self.plan("corp/org/app:v1", "linux/amd64")
        refers = [part.digest for part in plan.parts if part.refers]
        self.assertEqual(refers, [str(signature)])

    def test_local(self) -> None:
        """What is pushed here has no upstream, and no name elsewhere."""
        digest = self.push_local("team/app", "v1")
        plan = self.plan("team/app:v1")
        self.assertEqual((plan.full_name, plan.confirmed_at), ("", None))
        self.assertEqual((plan.digest, self.kinds(plan)), (str(digest), [1, 1]))
        by_digest = self.plan(f"team/app@{digest}")
        self.assertEqual(by_digest.parts, plan.parts)

    def test_schema1(self) -> None:
        """A layout cannot hold a manifest whose digest is not that of its bytes."""
        content = json.dumps(
            {
                "schemaVersion": 1,
                "name": "org/app",
                "tag": "old",
                "architecture": "amd64",
                "fsLayers": [],
                "history": [],
            }
        ).encode()
        self.several.upstream("corp").add_manifest("org/app", content, "old")
        self.several.get("/v2/corp/org/app/manifests/old")
        self.assertIn("schema 1", self.refusal("corp/org/app:old"))
