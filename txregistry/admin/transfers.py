"""The commands of the control socket that carry images out and in, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from txregistry.admin.content import AnyCommand, GivingCommand, TakingCommand
from txregistry.admin.images import Named, read_images, read_platforms
from txregistry.admin.values import outcome_of
from txregistry.flow.deferred import deferred
from txregistry.interfaces.audit import DONE, AuditEntry, IAudit, Requester
from txregistry.interfaces.commands import CommandRefused, Tell
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.files import IFileReader
from txregistry.interfaces.images import ImagesRefused
from txregistry.interfaces.transfers import (
    IImageExporter,
    IImageImporter,
    IIncomingBody,
)
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import DigestInvalid
from txregistry.spec.imagename import ImageName
from txregistry.spec.mediatypes import OCTET_STREAM
from txregistry.spec.values import as_values

#: Stores a part of an image.
TakePart = Callable[[ImageName, Descriptor, IIncomingBody], Deferred[None]]


@attrs.frozen
class ExportPlanCommand:
    """``export-plan``: what ``images`` are made of, of indexes for the ``platforms``.

    With ``partial`` what is not here is left out.
    """

    _named: Named
    _exporter: IImageExporter

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Plan each image."""
        wanted, platforms = read_images(self._named, options), read_platforms(options)
        is_partial = bool(options.get("partial"))
        with _refusals():
            plans = [
                await self._exporter.plan(
                    image=image, platforms=platforms, is_partial=is_partial
                )
                for image in wanted
            ]
        return {"images": [as_values(plan) for plan in plans]}


@attrs.frozen
class ContentGiver:
    """``content``: the bytes of a ``digest``."""

    _exporter: IImageExporter

    @deferred
    async def open(self, who: Requester, options: Mapping[str, Any]) -> IFileReader:
        """Open it."""
        digest = _digest(options.get("digest"))
        with _refusals():
            reader: IFileReader = await self._exporter.open(digest=digest)
        return reader


@attrs.frozen
class ImportLacksCommand:
    """``import-lacks``: which ``blobs`` of an ``image`` have to be sent.

    The report has their ``digests``; the others are linked.
    """

    _named: Named
    _importer: IImageImporter

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Link what is stored."""
        listed = options.get("blobs") or []
        if not isinstance(listed, list):
            raise CommandRefused("blobs: expected a list")
        image, blobs = _image(self._named, options), [*map(_descriptor, listed)]
        with _refusals():
            lacking = await self._importer.lacks(image=image, blobs=blobs)
        return {"digests": [str(blob.digest) for blob in lacking]}


@attrs.frozen
class PartTaker:
    """``import-blob`` and ``import-manifest``: take a part of an ``image``.

    Options: its ``digest``, ``size`` and ``media_type``.

    :ivar take: stores it.
    """

    _named: Named
    _take: TakePart

    @deferred
    async def take(
        self, who: Requester, options: Mapping[str, Any], body: IIncomingBody
    ) -> dict[str, Any]:
        """Store what is sent."""
        with _refusals():
            await self._take(_image(self._named, options), _descriptor(options), body)
        return {}


@attrs.frozen
class ImportCompleteCommand:
    """``import-complete``: the tag of an ``image`` stands for ``digest``.

    Option ``confirmed_at``: when an upstream said so. It is written to the audit trail.
    """

    _named: Named
    _importer: IImageImporter
    _audit: IAudit

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Set the tag; the report says whether it ``stands`` for what was sent."""
        image, top = _image(self._named, options), _digest(options.get("digest"))
        confirmed_at, outcome = options.get("confirmed_at"), DONE
        if confirmed_at is not None and not isinstance(confirmed_at, int | float):
            raise CommandRefused("confirmed_at: expected seconds since the epoch")
        try:
            with _refusals():
                stands = await self._importer.complete(
                    image=image, top=top, confirmed_at=confirmed_at
                )
        except BaseException as error:
            cause = error.__cause__ if isinstance(error, CommandRefused) else error
            outcome = outcome_of(cause or error, ImagesRefused)
            raise
        finally:
            self._audit.record(_entry(who, image, top, outcome))
        return {"image": str(image), "stands": stands}


@contextmanager
def _refusals() -> Iterator[None]:
    """Refuse a command for what its user has to see to."""
    try:
        yield
    except (ImagesRefused, DriverError) as error:
        raise CommandRefused(str(error)) from error


def _take_blob(importer: IImageImporter) -> TakePart:
    return lambda image, part, body: importer.take_blob(
        image=image, blob=part, body=body
    )


def _take_manifest(importer: IImageImporter) -> TakePart:
    return lambda image, part, body: importer.take_manifest(
        image=image, manifest=part, body=body
    )


def transfer_commands(
    named: Named, exporter: IImageExporter, importer: IImageImporter, audit: IAudit
) -> dict[str, AnyCommand]:
    """Return the commands, by name."""
    blobs = PartTaker(named, _take_blob(importer))
    manifests = PartTaker(named, _take_manifest(importer))
    return {
        "export-plan": ExportPlanCommand(named, exporter),
        "content": GivingCommand(ContentGiver(exporter).open),
        "import-lacks": ImportLacksCommand(named, importer),
        "import-blob": TakingCommand(announced_size, blobs.take),
        "import-manifest": TakingCommand(announced_size, manifests.take),
        "import-complete": ImportCompleteCommand(named, importer, audit),
    }


def _image(named: Named, options: Mapping[str, Any]) -> ImageName:
    (image,) = read_images(named, {"images": [options.get("image")]})
    return image


def _entry(who: Requester, image: ImageName, top: Digest, outcome: str) -> AuditEntry:
    return AuditEntry(
        "import",
        outcome,
        who.who,
        who.peer,
        "manifest",
        str(image.repository),
        "" if image.tag is None else str(image.tag),
        str(top),
    )


def announced_size(options: Mapping[str, Any]) -> int:
    """Read ``size``.

    :raise CommandRefused: it is none.
    """
    size = options.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise CommandRefused("size: expected a number of bytes")
    return size


def _descriptor(options: Any) -> Descriptor:
    if not isinstance(options, dict):
        raise CommandRefused("blobs: expected objects")
    media_type = str(options.get("media_type") or OCTET_STREAM)
    digest = _digest(options.get("digest"))
    return Descriptor(digest, announced_size(options), media_type)


def _digest(text: object) -> Digest:
    try:
        return Digest.parse(str(text))
    except DigestInvalid as error:
        raise CommandRefused(f"{text!r} is no digest") from error
