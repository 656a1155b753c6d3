"""Signed schema 1 manifests: verified, kept, merged, given back."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.keys import (
    algorithm_of,
    b64,
    ec_key,
    jwk,
    signature,
)
from tests.storage.test_namespace import StorageCase
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.push import PushPolicy
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse

PRETTY = "application/vnd.docker.distribution.manifest.v1+prettyjws"
LAYER = b"layer"


def payload(**changes: Any) -> bytes:
    document = {
        "schemaVersion": 1,
        "name": "a/b",
        "tag": "old",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": str(Digest.of(LAYER))}],
        "history": [{"v1Compatibility": "{}"}],
    }
    return json.dumps({**document, **changes}, indent=3).encode()


def signature_of(content: bytes, key: Any, **header: Any) -> dict[str, Any]:
    """Sign as libtrust does: all but the closing brace, whose tail is protected."""
    length = len(content) - len(b"\n}")
    said = {"formatLength": length, "formatTail": b64(content[length:])}
    protected = b64(json.dumps({**said, "time": "2020-01-01T00:00:00Z"}).encode())
    algorithm = algorithm_of(key)
    signed = f"{protected}.{b64(content)}".encode()
    return {
        "header": {"alg": algorithm, **(header or {"jwk": jwk(key)})},
        "signature": b64(signature(key, algorithm, signed)),
        "protected": protected,
    }


def document(content: bytes, *signatures: dict[str, Any]) -> bytes:
    """Put signatures into a document, as its last member."""
    length = len(content) - len(b"\n}")
    listed = json.dumps(list(signatures), indent=3).replace("\n", "\n   ")
    head = content[:length] + b',\n   "signatures": ' + listed.encode()
    return head + content[length:]


class SignatureCase(SynchronousTestCase):
    """A registry that takes schema 1."""

    keeps = True

    def setUp(self) -> None:
        self.house = TestHouse(clock=Clock())
        self.house.local._keeps_signatures = self.keeps
        self.house.serve_registry(policy=PushPolicy(schema1=True))
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(LAYER)}"
        self.house.send("POST", path, LAYER)
        self.payload = payload()

    def put(self, content: bytes, reference: str = "old", kind: str = PRETTY) -> Got:
        path = f"/v2/a/b/manifests/{reference}"
        return self.house.send("PUT", path, content, Content_Type=kind)

    def signed(self, *keys: Any) -> bytes:
        found = [signature_of(self.payload, key) for key in keys]
        return document(self.payload, *found)

    def code(self, got: Got) -> tuple[int, str]:
        return got.status, json.loads(got.body)["errors"][0]["code"]


class PushTests(SignatureCase):
    """What is taken and what is not."""

    def test_known_by_its_payload(self) -> None:
        """The digest is that of what was signed, and the bytes come back."""
        content = self.signed(ec_key())
        got = self.put(content)
        self.assertEqual(got.status, 201, got.body)
        digest = str(Digest.of(self.payload))
        self.assertEqual(got.header("Docker-Content-Digest"), digest)
        for reference in ("old", digest):
            back = self.house.send("GET", f"/v2/a/b/manifests/{reference}")
            self.assertEqual(back.body, content)
            self.assertEqual(back.header("Content-Type"), PRETTY)

    def test_old_clients(self) -> None:
        """Old clients call it ``application/json``, and it is what it is."""
        content = self.signed(ec_key())
        for kind in ("application/json", "application/json; charset=utf-8"):
            got = self.put(content, kind=kind)
            self.assertEqual(got.status, 201, got.body)
            back = self.house.send("GET", "/v2/a/b/manifests/old")
            self.assertEqual(back.body, content)
            self.assertEqual(back.header("Content-Type"), PRETTY)
        got = self.put(self.payload, kind="application/json")
        self.assertEqual(self.code(got), (400, "MANIFEST_UNVERIFIED"))

    def test_tampered(self) -> None:
        """A document that is not what was signed does not verify."""
        content = self.signed(ec_key()).replace(b"amd64", b"arm64")
        self.assertEqual(self.code(self.put(content)), (400, "MANIFEST_UNVERIFIED"))

    def test_unsigned(self) -> None:
        """What is to be signed and is not is unverified."""
        self.assertEqual(
            self.code(self.put(self.payload)), (400, "MANIFEST_UNVERIFIED")
        )

    def test_history(self) -> None:
        """Each layer has a history."""
        self.payload = payload(history=[])
        got = self.put(self.signed(ec_key()))
        self.assertEqual(self.code(got), (400, "MANIFEST_INVALID"))

    def test_switched_off(self) -> None:
        """Without compatibility.schema1.enabled it is refused, and the key is named."""
        self.house.serve_registry()
        got = self.put(self.signed(ec_key()))
        self.assertEqual(self.code(got), (400, "MANIFEST_INVALID"))
        self.assertIn(b"compatibility.schema1.enabled", got.body)


class StoreTests(SignatureCase):
    """What is kept of signatures."""

    def test_merged(self) -> None:
        """Signatures of several pushes add up, each once."""
        first, second = ec_key(0), ec_key(1)
        for keys in ((first,), (second,), (first,)):
            self.assertEqual(self.put(self.signed(*keys)).status, 201)
        back = self.house.send("GET", "/v2/a/b/manifests/old")
        listed = json.loads(back.body)["signatures"]
        found = {item["header"]["jwk"]["x"] for item in listed}
        self.assertEqual(found, {jwk(first)["x"], jwk(second)["x"]})

    def test_linked_as_distribution_does(self) -> None:
        """Each is content of its own, linked under the revision."""
        self.put(self.signed(ec_key()))
        digits = Digest.of(self.payload).hex
        (link,) = [
            path
            for path in self.house.paths()
            if f"revisions/sha256/{digits}/signatures/sha256/" in path
        ]
        name = self.house.settle(self.house.driver.get(link)).decode()
        self.assertEqual(link.split("/")[-2], name.partition(":")[2])

    def test_deleted_with_the_manifest(self) -> None:
        """Nothing of the revision is left."""
        self.put(self.signed(ec_key()))
        path = f"/v2/a/b/manifests/{Digest.of(self.payload)}"
        self.assertEqual(self.house.send("DELETE", path).status, 202)
        self.assertEqual([p for p in self.house.paths() if "revisions" in p], [])


class SwitchedOffTests(SignatureCase):
    """Nothing is kept of signatures."""

    keeps = False

    def test_without_signatures(self) -> None:
        """The document comes back as it was, less its signatures."""
        self.assertEqual(self.put(self.signed(ec_key())).status, 201)
        back = self.house.send("GET", "/v2/a/b/manifests/old")
        self.assertEqual(back.body, self.payload)


CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class MeanwhileTests(SignatureCase):
    """Signatures are content like any other."""

    def test_waits_for_whoever_deletes_the_same(self) -> None:
        """A collection that is just deleting a signature does not lose the new one."""
        house, signature = self.house, b'{"signature": "x"}'
        name, manifest = Digest.of(signature), Digest.of(self.payload)
        deleting: Deferred[None] = Deferred()
        house.content.locks.run(name, lambda: deleting)
        repository = house.settle(house.local.repository(RepositoryName.parse("a/b")))
        done = repository.signatures.put(manifest, signature)
        self.assertNotIn(layout.blob_data(name), house.paths())
        deleting.callback(None)
        house.settle(done)
        self.assertIn(layout.blob_data(name), house.paths())
        self.assertEqual(house.settle(repository.signatures.get(manifest)), [signature])


class MergeTests(StorageCase):
    """Signatures of one manifest, pushed one after the other."""

    def test_signatures(self) -> None:
        """Signatures are stored as content, linked, merged, and given back sorted."""
        digest = Digest.of(b"manifest")
        service = self.repository.signatures
        self.assertEqual(self.ok(service.get(digest=digest)), [])
        self.ok(service.put(digest, b"s1", b"s2"))
        self.ok(service.put(digest, b"s2", b"s3"))
        found = self.ok(service.get(digest=digest))
        expected = sorted([b"s1", b"s2", b"s3"], key=lambda s: Digest.of(s).hex)
        self.assertEqual(found, expected)
