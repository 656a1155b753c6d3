"""Images that are carried into a cache."""

from __future__ import annotations

import json
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.images.cases import ImagesCase
from txregistry.flow.streams import ChunkProducer, ShortRead
from txregistry.images.take import Importer
from txregistry.interfaces.expiry import EntryKey, Kind
from txregistry.interfaces.fills import FillCheckpoint
from txregistry.interfaces.images import ImagesRefused
from txregistry.interfaces.transfers import (
    IBlobAdopter,
    IImageImporter,
    IIncomingBody,
    IManifestAdopter,
    ITagAdopter,
)
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.testing.upstream import Fault

CORP = "corp/org/app:v1"


@implementer(IIncomingBody)
@attrs.define(eq=False)
class Sent:
    """Content that comes when it is asked for, in two pieces."""

    content: bytes
    rest: Deferred[bytes] | None = None
    is_asked: bool = False

    def read(self, consumer: IConsumer) -> Deferred[None]:
        self.is_asked = True
        producer = ChunkProducer(self._piece, consumer, 0, max(1, len(self.content)))
        return producer.start()

    def _piece(self, offset: int, size: int) -> Deferred[bytes]:
        middle = len(self.content) // 2
        if offset >= middle and self.rest is not None:
            return self.rest
        end = middle if offset < middle else len(self.content)
        return succeed(self.content[offset:end])


class TakeCase(ImagesCase):
    """An image that no upstream of the cache has."""

    def setUp(self) -> None:
        super().setUp()
        house = self.house
        self.importer = Importer(
            lambda: house.proxy,
            house.local,
            house.content,
            house.room,
            house.partials,
            house.clock,
        )
        verifyObject(IImageImporter, self.importer)
        verifyObject(IIncomingBody, Sent(b""))
        self.layer, self.config = b"l" * 3000, b"config"
        self.manifest = self.document(
            mediatypes.OCI_MANIFEST,
            config=self.described(self.config),
            layers=[self.described(self.layer)],
        )

    def document(self, media_type: str, **more: Any) -> bytes:
        document = {"schemaVersion": 2, "mediaType": media_type, **more}
        return json.dumps(document).encode()

    def described(
        self, content: bytes, media_type: str = "application/x"
    ) -> dict[str, Any]:
        digest = str(Digest.of(content))
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def descriptor(
        self, content: bytes, media_type: str = mediatypes.OCTET_STREAM
    ) -> Descriptor:
        return Descriptor(Digest.of(content), len(content), media_type)

    def run_importer(self, verb: str, *arguments: Any, image: str = CORP) -> Any:
        call = getattr(self.importer, verb)
        return self.house.settle(call(self.images.named(image), *arguments))

    def refusal(self, verb: str, *arguments: Any, image: str = CORP) -> str:
        with self.assertRaises(ImagesRefused) as caught:
            self.run_importer(verb, *arguments, image=image)
        return str(caught.exception)

    def take_blob(self, content: bytes, image: str = CORP) -> None:
        self.run_importer(
            "take_blob", self.descriptor(content), Sent(content), image=image
        )

    def take_manifest(self, content: bytes, image: str = CORP) -> None:
        kind = json.loads(content)["mediaType"]
        part = self.descriptor(content, kind)
        self.run_importer("take_manifest", part, Sent(content), image=image)

    def take_all(self, image: str = CORP, confirmed_at: float | None = None) -> bool:
        for blob in (self.layer, self.config):
            self.take_blob(blob, image)
        self.take_manifest(self.manifest, image)
        return self.run_importer(
            "complete", Digest.of(self.manifest), confirmed_at, image=image
        )

    def cut_link(self) -> None:
        for key in self.several.houses:
            self.several.upstream(key).faults.append(Fault("/v2/", 10**6, status=503))


class TakeTests(TakeCase):
    """It is served, counted, and asked about like any other."""

    def test_pull(self) -> None:
        """Nobody is asked while the tag is fresh, and it is stale afterwards."""
        self.assertTrue(self.take_all())
        self.cut_link()
        for _ in range(2):
            got = self.several.get("/v2/corp/org/app/manifests/v1")
            self.assertEqual((got.status, got.body), (200, self.manifest))
            for blob in (self.layer, self.config):
                path = f"/v2/corp/org/app/blobs/{Digest.of(blob)}"
                self.assertEqual(self.several.get(path).body, blob)
            self.house.clock.advance(self.house.policy.fresh_seconds + 1)
        self.assertEqual(self.images.named(CORP).repository.text, "corp/org/app")

    def test_powers(self) -> None:
        """Repositories of a cache take what their upstream did not send."""
        name = RepositoryName.parse("corp/org/app")
        cached = self.house.settle(self.house.proxy.repository(name))
        for interface, service in (
            (IBlobAdopter, cached.blobs),
            (IManifestAdopter, cached.manifests),
            (ITagAdopter, cached.tags),
        ):
            verifyObject(interface, service)

    def test_ledger(self) -> None:
        """All of it is counted, so that it expires, or makes room."""
        self.take_all()
        name = RepositoryName.parse("corp/org/app")
        now = self.house.clock.seconds()
        for kind, reference, size in (
            (Kind.BLOB, Digest.of(self.layer), 3000),
            (Kind.MANIFEST, Digest.of(self.manifest), len(self.manifest)),
            (Kind.TAG, "v1", 0),
        ):
            key = EntryKey(name, kind, str(reference))
            entry = self.house.settle(self.house.ledger.find(key))
            self.assertEqual((entry.size, entry.last_use), (size, now))
        usage = self.house.settle(self.house.room.preview(number=1)).usage
        self.assertEqual((usage.reserved, usage.unwritten), (0, 0))

    def test_lacks(self) -> None:
        """What another repository has is linked; what is damaged is not taken."""
        self.push_local("team/app", "v1")
        blobs = [self.descriptor(content) for content in (b"local", self.layer)]
        self.assertEqual(self.run_importer("lacks", blobs), [blobs[1]])
        self.assertEqual(self.run_importer("lacks", blobs[:1]), [])
        stored = self.stored("corp/org/app")
        found = self.house.settle(stored.blobs.stat(blobs[0].digest))
        self.assertEqual(found.size, 5)
        # A wrong size in a manifest does not make the content wrong.
        other = Descriptor(blobs[0].digest, 6)
        lacking = self.run_importer("lacks", [other], image="ghcr.io/org/app:v1")
        self.assertEqual(lacking, [])

    def test_wrong_content(self) -> None:
        """It is stored nowhere, and counted nowhere."""
        wanted = self.descriptor(self.layer)
        said = self.refusal("take_blob", wanted, Sent(b"m" * 3000))
        self.assertIn("digest", said)
        self.assertEqual(self.run_importer("lacks", [wanted]), [wanted])
        said = self.refusal("take_blob", wanted, Sent(self.layer[:100] + b""))
        self.assertTrue(said.startswith(CORP), said)
        name = RepositoryName.parse("corp/org/app")
        key = EntryKey(name, Kind.BLOB, str(wanted.digest))
        self.assertIsNone(self.house.settle(self.house.ledger.find(key)))

    def test_cut_off(self) -> None:
        """A carrier who leaves in the middle leaves nothing."""
        body = Sent(self.layer, Deferred())
        image, blob = self.images.named(CORP), self.descriptor(self.layer)
        before = self.house.paths()
        taking = self.importer.take_blob(image, blob, body)
        self.house.pump()
        taking.cancel()
        self.failureResultOf(taking)
        self.assertEqual(self.house.paths(), before)
        self.assertEqual(self.run_importer("lacks", [blob]), [blob])

    def test_short(self) -> None:
        """So does one whose medium ends early."""
        body = Sent(self.layer, fail(ShortRead("1500 bytes are missing")))
        said = self.refusal("take_blob", self.descriptor(self.layer), body)
        self.assertEqual(said, f"{CORP}: the content ended early")

    def test_manifest_without_its_blobs(self) -> None:
        """No tag appears for what cannot be pulled."""
        self.take_blob(self.config)
        kind = mediatypes.OCI_MANIFEST
        part = self.descriptor(self.manifest, kind)
        said = self.refusal("take_manifest", part, Sent(self.manifest))
        self.assertIn(f"is made of {Digest.of(self.layer)}: not here", said)
        said = self.refusal("complete", part.digest, None)
        self.assertIn("manifest unknown", said)

    def test_other_manifests(self) -> None:
        """What is none, has another digest, or is of schema 1."""
        kind = mediatypes.OCI_MANIFEST
        part = self.descriptor(b"[]", kind)
        self.assertIn(
            "manifest invalid", self.refusal("take_manifest", part, Sent(b"[]"))
        )
        part = self.descriptor(self.manifest, kind)
        other = self.manifest + b" "
        said = self.refusal("take_manifest", part, Sent(other))
        self.assertIn(f"was sent as content of {Digest.of(other)}", said)
        huge = Descriptor(part.digest, 10**9, kind)
        body = Sent(self.manifest)
        self.refusal("take_manifest", huge, body)
        self.assertFalse(body.is_asked)
        old = json.dumps(
            {
                "schemaVersion": 1,
                "name": "a",
                "tag": "b",
                "architecture": "amd64",
                "fsLayers": [],
                "history": [],
            }
        ).encode()
        part = self.descriptor(old, mediatypes.DOCKER_SCHEMA1)
        self.assertIn("schema 1", self.refusal("take_manifest", part, Sent(old)))

    def test_index(self) -> None:
        """The children that were not exported are not missed."""
        children = [
            self.described(self.manifest, mediatypes.OCI_MANIFEST),
            self.described(b"other", mediatypes.OCI_MANIFEST),
        ]
        index = self.document(mediatypes.OCI_INDEX, manifests=children)
        self.take_all()
        self.take_manifest(index)
        self.assertTrue(self.run_importer("complete", Digest.of(index), None))
        got = self.several.get("/v2/corp/org/app/manifests/v1")
        self.assertEqual(got.body, index)

    def test_later_tag(self) -> None:
        """What an upstream has said since is not taken back."""
        top = self.put_image("corp")
        self.warm(CORP)
        now = self.house.clock.seconds()
        self.assertFalse(self.take_all(confirmed_at=now - 60))
        self.assertEqual(self.explain(CORP).digest, str(top))
        self.assertTrue(self.take_all(confirmed_at=now + 1))
        self.assertEqual(self.explain(CORP).digest, str(Digest.of(self.manifest)))
        self.assertTrue(self.take_all(confirmed_at=None))

    def test_newer_export(self) -> None:
        """What counts is when the upstream was asked, not when somebody imported."""
        day = 86_400.0
        now = self.house.clock.seconds()
        self.assertTrue(self.take_all(confirmed_at=now - 4 * day))
        self.house.clock.advance(2 * day)
        other = self.document(
            mediatypes.OCI_MANIFEST, config=self.described(self.config), layers=[]
        )
        self.take_manifest(other)
        newer, older = now - 3 * day, now - 5 * day
        top = Digest.of(other)
        self.assertFalse(self.run_importer("complete", top, older))
        self.assertTrue(self.run_importer("complete", top, newer))
        self.assertEqual(self.explain(CORP).confirmed_at, newer)
        # A clock of the other side that is ahead changes nothing here.
        self.assertTrue(self.take_all(confirmed_at=now + 100 * day))
        confirmed_at = self.explain(CORP).confirmed_at
        self.assertEqual(confirmed_at, self.house.clock.seconds())

    def test_index_without_children(self) -> None:
        """A manifest that was lost on the way is missed."""
        children = [self.described(self.manifest, mediatypes.OCI_MANIFEST)]
        index = self.document(mediatypes.OCI_INDEX, manifests=children)
        self.take_manifest(index)
        said = self.refusal("complete", Digest.of(index), None)
        self.assertIn("no platform of it is here", said)
        self.assertEqual(self.explain(CORP).digest, "")

    def test_another_digest(self) -> None:
        """An image that is named by its digest is that one, or is refused."""
        self.take_all()
        top = Digest.of(self.manifest)
        for name in (f"corp/org/app@{top}", f"corp/org/app:v2@{top}"):
            self.assertTrue(self.run_importer("complete", top, None, image=name))
        wrong = f"corp/org/app:v3@{Digest.of(b'pinned')}"
        said = self.refusal("complete", top, None, image=wrong)
        self.assertIn(f"what was sent is {top}", said)
        self.assertEqual(self.explain("corp/org/app:v3").digest, "")

    def test_interrupted_download(self) -> None:
        """The part of a blob that waits to be resumed makes room for all of it."""
        digest = Digest.of(self.layer)
        partial = self.house.settle(self.house.partials.open(digest))
        partial.write(self.layer[:2900])
        self.house.settle(partial.flush())
        self.house.settle(partial.checkpoint(FillCheckpoint(2900, 3000, None)))
        self.house.settle(partial.close())
        self.take_blob(self.layer)
        self.assertEqual(self.house.settle(self.house.partials.found()), [])

    def test_without_tag(self) -> None:
        """An image by its digest has no tag to be set."""
        image = f"corp/org/app@{Digest.of(self.manifest)}"
        self.assertTrue(self.take_all(image))
        self.assertEqual(self.explain(CORP).digest, "")
        self.assertNotEqual(self.explain(image).digest, "")

    def test_local(self) -> None:
        """A local repository takes it as if it were pushed."""
        self.assertTrue(self.take_all("team/app:v1"))
        got = self.several.get("/v2/team/app/manifests/v1")
        self.assertEqual(got.body, self.manifest)
        self.push_local("team/other", "v1")
        blob = self.descriptor(b"local")
        self.assertEqual(self.run_importer("lacks", [blob], image="team/app:v1"), [])

    def test_refused(self) -> None:
        """Nothing is taken by a read-only registry, nor what a rule denies."""
        body = Sent(self.layer)
        blob = self.descriptor(self.layer)
        said = self.refusal("take_blob", blob, body, image="ghcr.io/secret/a:v1")
        self.assertIn("proxy.upstreams.ghcr.io.deny", said)
        self.importer.refusal = "read-only"
        self.assertEqual(self.refusal("lacks", []), f"{CORP}: read-only")
        self.refusal("take_blob", blob, body)
        self.assertFalse(body.is_asked)
