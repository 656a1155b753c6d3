"""The commands of the control socket for images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txregistry.admin.images import (
    ExplainCommand,
    NoImages,
    PurgeCommand,
    ReadyCommand,
    RefreshCommand,
    WarmCommand,
)
from txregistry.interfaces.audit import AuditEntry, IAudit, Requester
from txregistry.interfaces.commands import CommandRefused
from txregistry.interfaces.images import (
    IFindings,
    IImages,
    ImageReport,
    ImagesRefused,
    PartState,
    PurgedImages,
    TellWarm,
    WarmProgress,
    WarmReport,
)
from txregistry.spec.imagename import ImageName, find_repository
from txregistry.spec.platforms import WantedPlatform
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import UpstreamTable

WHO = Requester("root", "pid:1")


@implementer(IImages)
@attrs.define(eq=False)
class Pictures:
    """Does nothing, and remembers it."""

    done: list[str] = attrs.field(factory=list)
    refusal: Exception | None = None

    def named(self, text: str) -> ImageName:
        try:
            return ImageName.parse(text, UpstreamTable())
        except ValueError as error:
            raise ImagesRefused(str(error)) from error

    def repository_named(self, text: str) -> RepositoryName:
        try:
            return find_repository(text, UpstreamTable())
        except ValueError as error:
            raise ImagesRefused(str(error)) from error

    def warm(
        self, image: ImageName, platforms: Sequence[WantedPlatform], tell: TellWarm
    ) -> Deferred[WarmReport]:
        tell(WarmProgress(str(image), "sha256:1", "blob", PartState.HERE, 9, 9))
        self.done.append(f"{image} {' '.join(item.architecture for item in platforms)}")
        return succeed(WarmReport(str(image), parts=3))

    def explain(self, image: ImageName) -> Deferred[ImageReport]:
        return succeed(ImageReport(str(image), "x"))

    def findings(self, name: RepositoryName) -> Deferred[IFindings]:
        """Nobody asks here."""
        raise NotImplementedError

    def lacks(
        self,
        image: ImageName,
        platforms: Sequence[WantedPlatform],
        findings: IFindings | None = None,
    ) -> Deferred[str]:
        return succeed("" if not platforms else "all")

    def preview_purge(self, image: ImageName) -> Deferred[PurgedImages]:
        """Nobody asks here."""
        raise NotImplementedError

    def refresh(self, image: ImageName) -> Deferred[ImageReport]:
        return self._do(f"refresh {image}", ImageReport(str(image), "x"))

    def purge(self, image: ImageName) -> Deferred[PurgedImages]:
        return self._do(str(image), PurgedImages(1, 2, 3))

    def purge_repository(self, name: RepositoryName) -> Deferred[PurgedImages]:
        return self._do(str(name), PurgedImages(1, 2, 3))

    def purge_upstream(self, key: str) -> Deferred[PurgedImages]:
        return self._do(key, PurgedImages(1, 2, 3))

    def _do(self, what: str, result: Any) -> Deferred[Any]:
        self.done.append(what)
        return succeed(result) if self.refusal is None else fail(self.refusal)


@implementer(IAudit)
class Trail:
    """Remembers entries."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def record(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


class ImageCommandTests(SynchronousTestCase):
    """Options in, reports of JSON out."""

    def setUp(self) -> None:
        self.images, self.trail, self.told = Pictures(), Trail(), []

    def run_command(self, command: Any, **options: Any) -> dict[str, Any]:
        report = self.successResultOf(command.run(WHO, options, self.told.append))
        return json.loads(json.dumps(report))

    def refused(self, command: Any, **options: Any) -> str:
        done = command.run(WHO, options, self.told.append)
        return str(self.failureResultOf(done, CommandRefused).value)

    def test_registry(self) -> None:
        """A daemon without upstreams says so."""
        self.assertEqual(self.refused(NoImages("no cache"), images=["a"]), "no cache")

    def test_warm(self) -> None:
        """One image after the other, with progress as text."""
        verifyObject(IImages, self.images)
        command = WarmCommand(self.images)
        images, platforms = ["a", "b:v1"], ["linux/amd64"]
        report = self.run_command(command, images=images, platforms=platforms)
        self.assertEqual(self.images.done, ["a:latest amd64", "b:v1 amd64"])
        self.assertEqual([item["parts"] for item in report["images"]], [3, 3])
        self.assertEqual([made["state"] for made in self.told], ["here", "here"])

    def test_malformed(self) -> None:
        """Nothing is begun where one of the names is none."""
        command = WarmCommand(self.images)
        for options, expected in (
            ({"images": ["a", "B"]}, "'B' is no name"),
            ({"images": "a"}, "images: expected a list"),
            ({"images": ["a"], "platforms": ["x"]}, "expected OS/ARCHITECTURE"),
        ):
            self.assertIn(expected, self.refused(command, **options))
        self.assertEqual(self.images.done, [])

    def test_explain_and_ready(self) -> None:
        """Looking needs no more than names."""
        report = self.run_command(ExplainCommand(self.images), images=["a"])
        self.assertEqual(report["images"][0]["image"], "a:latest")
        command = ReadyCommand(self.images)
        for platforms, lacks in (([], ""), (["linux/amd64"], "all")):
            report = self.run_command(command, images=["a"], platforms=platforms)
            expected = [{"image": "a:latest", "lacks": lacks}]
            self.assertEqual(report["images"], expected)

    def test_refresh(self) -> None:
        """An upstream that does not answer is a refusal."""
        command = RefreshCommand(self.images)
        self.run_command(command, images=["a"])
        self.images.refusal = ImagesRefused("away")
        self.assertEqual(self.refused(command, images=["a"]), "away")

    def test_purge(self) -> None:
        """All that is named goes, is counted together, and is in the audit trail."""
        command = PurgeCommand(self.images, self.trail)
        options = {"images": ["a"], "repositories": ["b/c"], "upstreams": ["quay.io"]}
        report = self.run_command(command, **options)
        self.assertEqual(report, {"tags": 3, "manifests": 6, "blobs": 9})
        self.assertEqual(self.images.done, ["a:latest", "b/c", "quay.io"])
        details = [(entry.detail, entry.outcome) for entry in self.trail.entries]
        self.assertEqual(
            details,
            [("a:latest", "done"), ("b/c", "done"), ("upstream quay.io", "done")],
        )
        self.assertEqual(
            self.refused(command, repositories=["B"]), "'B' is no name of a repository"
        )

    def test_purge_fails(self) -> None:
        """What was not done is in the trail as well."""
        command = PurgeCommand(self.images, self.trail)
        self.images.refusal = ImagesRefused("a:latest is not here")
        self.refused(command, images=["a"])
        self.images.refusal = OSError("disk")
        done = command.run(WHO, {"images": ["a"]}, self.told.append)
        self.failureResultOf(done, OSError)
        outcomes = [entry.outcome for entry in self.trail.entries]
        self.assertEqual(outcomes, ["REFUSED", "FAILED"])
