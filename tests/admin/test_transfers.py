"""The commands that carry images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txregistry.admin.transfers import transfer_commands
from txregistry.interfaces.audit import AuditEntry, IAudit, Requester
from txregistry.interfaces.commands import CommandRefused
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.images import ImagesRefused
from txregistry.interfaces.transfers import (
    ExportPart,
    ExportPlan,
    IImageExporter,
    IImageImporter,
    PartKind,
)
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.imagename import ImageName
from txregistry.spec.upstreams import UpstreamTable

WHO = Requester("root", "pid:1")
TOP, BLOB = str(Digest.of(b"top")), str(Digest.of(b"blob"))


@implementer(IImageExporter)
@attrs.define(eq=False)
class Gives:
    """Has every image, unless it refuses."""

    done: list[Any] = attrs.field(factory=list)
    refusal: Exception | None = None

    def plan(
        self, image: ImageName, platforms: Sequence[Any], is_partial: bool = False
    ) -> Deferred[ExportPlan]:
        self.done.append((str(image), len(platforms), is_partial))
        if self.refusal:
            return fail(self.refusal)
        part = ExportPart(TOP, 3, "x", PartKind.MANIFEST)
        return succeed(ExportPlan(str(image), "", TOP, "x", 3, None, (part,)))

    def open(self, digest: Digest) -> Deferred[Any]:
        return fail(self.refusal) if self.refusal else succeed(digest)


@implementer(IImageImporter)
@attrs.define(eq=False)
class Takes:
    """Takes every image, unless it refuses."""

    done: list[Any] = attrs.field(factory=list)
    refusal: BaseException | None = None

    def lacks(self, image: ImageName, blobs: Sequence[Descriptor]) -> Deferred[Any]:
        return self._did(list(blobs)[:1], image, *blobs)

    def take_blob(self, image: ImageName, blob: Descriptor, body: Any) -> Deferred[Any]:
        return self._did(None, image, blob, body)

    def take_manifest(
        self, image: ImageName, manifest: Descriptor, body: Any
    ) -> Deferred[Any]:
        return self._did(None, image, manifest, body)

    def complete(
        self, image: ImageName, top: Digest, confirmed_at: float | None
    ) -> Deferred[bool]:
        return self._did(True, image, top, confirmed_at)

    def _did(self, result: Any, image: ImageName, *what: Any) -> Deferred[Any]:
        if self.refusal:
            return fail(self.refusal)
        self.done.append((str(image), *what))
        return succeed(result)


@implementer(IAudit)
@attrs.define(eq=False)
class Kept:
    """An audit trail."""

    entries: list[AuditEntry] = attrs.field(factory=list)

    def record(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


def named(text: str) -> ImageName:
    try:
        return ImageName.parse(text, UpstreamTable())
    except ValueError as error:
        raise ImagesRefused(str(error)) from error


class TransferTests(SynchronousTestCase):
    """Options in, reports of JSON out."""

    def setUp(self) -> None:
        self.exporter, self.importer, self.trail = Gives(), Takes(), Kept()
        verifyObject(IImageExporter, self.exporter)
        verifyObject(IImageImporter, self.importer)
        self.commands: Any = transfer_commands(
            named, self.exporter, self.importer, self.trail
        )

    def begin(self, name: str, options: dict[str, Any]) -> Deferred[Any]:
        command = self.commands[name]
        if hasattr(command, "take"):
            self.assertEqual(command.size_of(options), options["size"])
            return command.take(WHO, options, "body")
        if hasattr(command, "open"):
            return command.open(WHO, options)
        return command.run(WHO, options, lambda made: None)

    def run_command(self, name: str, **options: Any) -> Any:
        report = self.successResultOf(self.begin(name, options))
        return json.loads(json.dumps(report)) if isinstance(report, dict) else report

    def refused(self, name: str, **options: Any) -> str:
        failure = self.failureResultOf(self.begin(name, options), CommandRefused)
        return str(failure.value)

    def test_plan(self) -> None:
        """Each image, for some platforms, or what is here of it."""
        options = {"images": ["a", "b:v1"], "platforms": ["linux/amd64"]}
        report = self.run_command("export-plan", **options, partial=True)
        self.assertEqual(self.exporter.done, [("a:latest", 1, True), ("b:v1", 1, True)])
        (part,) = report["images"][1]["parts"]
        self.assertEqual(
            part,
            {
                "digest": TOP,
                "size": 3,
                "media_type": "x",
                "kind": "manifest",
                "refers": False,
            },
        )
        self.assertIn("no name", self.refused("export-plan", images=["B"]))
        self.exporter.refusal = ImagesRefused("not here")
        self.assertEqual(self.refused("export-plan", images=["a"]), "not here")

    def test_content(self) -> None:
        """One digest."""
        self.assertEqual(str(self.run_command("content", digest=TOP)), TOP)
        self.assertIn("is no digest", self.refused("content", digest="x"))
        self.exporter.refusal = ImagesRefused("gone")
        self.assertEqual(self.refused("content", digest=TOP), "gone")

    def test_lacks(self) -> None:
        """Descriptors in, digests out."""
        blobs = [{"digest": BLOB, "size": 4}, {"digest": TOP, "size": 3}]
        report = self.run_command("import-lacks", image="a", blobs=blobs)
        self.assertEqual(report, {"digests": [BLOB]})
        for wrong, told in (
            ("x", "expected a list"),
            (["x"], "expected objects"),
            ([{"digest": BLOB}], "size: expected"),
            ([{"digest": BLOB, "size": True}], "size: expected"),
            ([{"digest": BLOB, "size": -1}], "size: expected"),
        ):
            said = self.refused("import-lacks", image="a", blobs=wrong)
            self.assertIn(told, said)
        self.importer.refusal = DriverError("filesystem", "/x", "disk full")
        said = self.refused("import-lacks", image="a", blobs=blobs)
        self.assertIn("disk full", said)

    def test_take(self) -> None:
        """A part, and its bytes."""
        for name in ("import-blob", "import-manifest"):
            self.importer.done.clear()
            options = {"image": "a", "digest": BLOB, "size": 4, "media_type": "y"}
            self.assertEqual(self.run_command(name, **options), {})
            expected = Descriptor(Digest.parse(BLOB), 4, "y")
            self.assertEqual(self.importer.done, [("a:latest", expected, "body")])
            self.importer.refusal = ImagesRefused("no")
            self.assertEqual(self.refused(name, **options), "no")
            self.importer.refusal = None

    def test_complete(self) -> None:
        """The tag, with a line in the audit trail."""
        options = {"image": "a/b:v1", "digest": TOP, "confirmed_at": 12.5}
        report = self.run_command("import-complete", **options)
        self.assertEqual(report, {"image": "a/b:v1", "stands": True})
        self.assertEqual(self.importer.done, [("a/b:v1", Digest.parse(TOP), 12.5)])
        (entry,) = self.trail.entries
        self.assertEqual(
            (entry.action, entry.outcome, entry.who, entry.repository, entry.tag),
            ("import", "done", "root", "a/b", "v1"),
        )
        self.assertEqual(entry.digest, TOP)
        said = self.refused("import-complete", **{**options, "confirmed_at": "now"})
        self.assertIn("confirmed_at: expected", said)

    def test_not_completed(self) -> None:
        """What was not done is in the trail as well."""
        options = {"image": f"a@{TOP}", "digest": TOP}
        self.importer.refusal = ImagesRefused("no")
        self.assertEqual(self.refused("import-complete", **options), "no")
        self.importer.refusal = DriverError("filesystem", "/x", "disk full")
        self.refused("import-complete", **options)
        self.importer.refusal = OSError("bug")
        self.failureResultOf(self.begin("import-complete", options), OSError)
        found = [(entry.outcome, entry.tag) for entry in self.trail.entries]
        self.assertEqual(found, [("REFUSED", ""), ("FAILED", ""), ("FAILED", "")])
