"""Who changed what, over the wire."""

from __future__ import annotations

from hashlib import sha256

import attrs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.interfaces.audit import AuditEntry, IAudit
from txregistry.spec.gate import Gate
from txregistry.testing.house import TestHouse

CONTENT = b'{"schemaVersion": 2, "config": '
BLOB = b"{}"
DIGEST = "sha256:" + sha256(BLOB).hexdigest()
INDEX = b"application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"


@implementer(IAudit)
@attrs.define(eq=False)
class Trail:
    """Remembers entries."""

    entries: list[AuditEntry] = attrs.field(factory=list)

    def record(self, entry: AuditEntry) -> None:
        """Remember one."""
        self.entries.append(entry)


class RequestAuditTests(SynchronousTestCase):
    """A registry and its audit trail."""

    def setUp(self) -> None:
        self.trail = Trail()
        self.house = TestHouse(audit=self.trail)

    def push(self) -> str:
        self.house.send("POST", f"/v2/a/b/blobs/uploads/?digest={DIGEST}", BLOB)
        config = (
            f'{{"mediaType": "application/vnd.oci.image.config.v1+json",'
            f' "digest": "{DIGEST}", "size": 2}}'
        )
        image = CONTENT + config.encode() + b', "layers": []}'
        self.house.send("PUT", "/v2/a/b/manifests/v1", image, Content_Type=IMAGE)
        return "sha256:" + sha256(image).hexdigest()

    def facts(self) -> list[tuple[str, ...]]:
        entries, self.trail.entries = self.trail.entries, []
        for entry in entries:
            self.assertTrue(entry.peer)
            self.assertEqual(len(entry.request_id), 32)
        return [
            (e.action, e.outcome, e.kind, e.repository, e.tag, e.digest)
            for e in entries
        ]

    def test_changes(self) -> None:
        """Each push, mount and delete is recorded once, with all that is known."""
        image = self.push()
        pushed = [
            ("push", "done", "blob", "a/b", "", DIGEST),
            ("push", "done", "manifest", "a/b", "v1", image),
        ]
        self.assertEqual(self.facts(), pushed)
        mount = f"/v2/c/d/blobs/uploads/?mount={DIGEST}&from=a/b"
        self.assertEqual(self.house.send("POST", mount, b"").status, 201)
        self.assertEqual(self.trail.entries[0].detail, "from a/b")
        self.assertEqual(self.facts(), [("mount", "done", "blob", "c/d", "", DIGEST)])
        self.house.send("DELETE", f"/v2/a/b/manifests/{image}")
        self.assertEqual(
            self.facts(),
            [
                ("delete", "done", "manifest", "a/b", "", image),
                ("delete", "done", "tag", "a/b", "v1", ""),
            ],
        )
        self.house.send("DELETE", f"/v2/a/b/blobs/{DIGEST}")
        self.assertEqual(self.facts(), [("delete", "done", "blob", "a/b", "", DIGEST)])

    def test_tags_of_a_push_by_digest(self) -> None:
        """Each tag is recorded, of a push that failed too."""
        self.push()
        index = b'{"schemaVersion": 2, "mediaType": "%s", "manifests": []}' % INDEX
        digest = "sha256:" + sha256(index).hexdigest()
        path = f"/v2/a/b/manifests/{digest}?tag=v1&tag=v2"
        self.facts()
        sent = self.house.send("PUT", path, index, Content_Type=INDEX.decode())
        self.assertEqual(sent.status, 201)
        self.assertEqual(
            self.facts(),
            [
                ("push", "done", "manifest", "a/b", "", digest),
                ("push", "done", "tag", "a/b", "v1", digest),
                ("push", "done", "tag", "a/b", "v2", digest),
            ],
        )
        self.house.send("PUT", path, b"{", Content_Type=INDEX.decode())
        (entry,) = self.trail.entries
        self.assertEqual((entry.digest, entry.detail), (digest, "tags v1,v2"))

    def test_long_names(self) -> None:
        """Of what cannot be a name only the beginning is recorded."""
        long = "x" * 5000
        self.house.send("PUT", f"/v2/a/b/manifests/{long}?tag={long}", b"{}")
        (entry,) = self.trail.entries
        self.assertEqual(entry.tag, "x" * 300 + "…")
        self.assertEqual(entry.detail, "tags " + "x" * 300 + "…")

    def test_pulls(self) -> None:
        """What changes nothing is not recorded, be it refused or not."""
        self.push()
        self.facts()
        self.house.send("GET", f"/v2/a/b/blobs/{DIGEST}")
        self.house.send("GET", "/v2/a/b/manifests/none")
        self.assertEqual(self.facts(), [])

    def test_failures(self) -> None:
        """What is refused or fails is recorded once, with the code of the error."""
        self.house.send("PUT", "/v2/a/b/manifests/v1", b"{", Content_Type=IMAGE)
        self.assertEqual(
            self.facts(),
            [("push", "MANIFEST_INVALID", "manifest", "a/b", "v1", "")],
        )
        self.house.send("DELETE", f"/v2/a/b/blobs/{DIGEST}")
        self.assertEqual(
            self.facts(), [("delete", "BLOB_UNKNOWN", "blob", "a/b", "", DIGEST)]
        )
        self.house.serve_registry(Gate(read_only=True))
        self.house.send("POST", "/v2/a/b/blobs/uploads/", b"")
        ((action, outcome, *_),) = self.facts()
        self.assertEqual((action, outcome), ("push", "UNSUPPORTED"))
