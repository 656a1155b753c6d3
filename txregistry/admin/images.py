"""The commands of the control socket for the images of a cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from txregistry.admin.values import outcome_of
from txregistry.flow.deferred import deferred
from txregistry.interfaces.audit import DONE, AuditEntry, IAudit, Requester
from txregistry.interfaces.commands import CommandRefused, Tell
from txregistry.interfaces.images import (
    IImages,
    ImagesRefused,
    PurgedImages,
    WarmProgress,
)
from txregistry.spec.imagename import ImageName
from txregistry.spec.platforms import WantedPlatform
from txregistry.spec.values import as_values

#: Gives an image as clients name it, or raises ``ImagesRefused``.
Named = Callable[[str], ImageName]


def read_images(named: Named, options: Mapping[str, Any]) -> list[ImageName]:
    """Read ``images``: names as clients have them.

    :raise CommandRefused: one names none.
    """
    try:
        return [named(text) for text in _texts(options, "images")]
    except ImagesRefused as error:
        raise CommandRefused(str(error)) from error


def read_platforms(options: Mapping[str, Any]) -> list[WantedPlatform]:
    """Read ``platforms``.

    :raise CommandRefused: one is malformed.
    """
    try:
        return [WantedPlatform.parse(text) for text in _texts(options, "platforms")]
    except ValueError as error:
        raise CommandRefused(str(error)) from error


def _texts(options: Mapping[str, Any], name: str) -> list[str]:
    found = options.get(name) or []
    if not isinstance(found, list):
        raise CommandRefused(f"{name}: expected a list")
    return [str(text) for text in found]


@attrs.frozen
class NoImages:
    """A command about cached images, at a daemon that has none."""

    _why: str

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Refuse it."""
        raise CommandRefused(self._why)


@attrs.frozen
class WarmCommand:
    """``warm``: fetch ``images``, of indexes the ``platforms``, one after the other."""

    _images: IImages

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Warm; the report has one of each image that was begun."""

        def progress(made: WarmProgress) -> None:
            tell(as_values(made))

        wanted, platforms = (
            read_images(self._images.named, options),
            read_platforms(options),
        )
        reports = []
        for image in wanted:
            report = await self._images.warm(
                image=image, platforms=platforms, tell=progress
            )
            reports.append(as_values(report))
        return {"images": reports}


@attrs.frozen
class ExplainCommand:
    """``explain``: what is here of ``images``."""

    _images: IImages

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Explain."""
        wanted = read_images(self._images.named, options)
        return {"images": [await self._explain(image) for image in wanted]}

    @deferred
    async def _explain(self, image: ImageName) -> dict[str, Any]:
        return as_values(await self._images.explain(image=image))


@attrs.frozen
class ReadyCommand:
    """``ready``: what pulls of ``images`` would lack if all upstreams were gone."""

    _images: IImages

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Look; an image that lacks nothing has an empty ``lacks``."""
        wanted, platforms = (
            read_images(self._images.named, options),
            read_platforms(options),
        )
        found = []
        for image in wanted:
            lacks = await self._images.lacks(image=image, platforms=platforms)
            found.append({"image": str(image), "lacks": lacks})
        return {"images": found}


@attrs.frozen
class RefreshCommand:
    """``refresh``: ask what the tags of ``images`` stand for, one after the other."""

    _images: IImages

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Refresh; the report has what is here of each."""
        reports = []
        for image in read_images(self._images.named, options):
            try:
                reports.append(as_values(await self._images.refresh(image=image)))
            except ImagesRefused as error:
                raise CommandRefused(str(error)) from error
        return {"images": reports}


@attrs.frozen
class PurgeCommand:
    """``purge``: remove ``images``, ``repositories``, or all of an ``upstream``.

    Each is written to the audit trail.
    """

    _images: IImages
    _audit: IAudit

    @deferred
    async def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> dict[str, Any]:
        """Purge; the report counts what was removed."""
        total = PurgedImages(0, 0, 0)
        for what, work in self._work(options).items():
            done = await self._audited(who, what, work)
            total = PurgedImages(
                total.tags + done.tags,
                total.manifests + done.manifests,
                total.blobs + done.blobs,
            )
        return as_values(total)

    def _work(
        self, options: Mapping[str, Any]
    ) -> Mapping[str, Callable[[], Deferred[PurgedImages]]]:
        images = self._images
        found: dict[str, Callable[[], Deferred[PurgedImages]]] = {}
        for image in read_images(images.named, options):
            found[str(image)] = partial(images.purge, image=image)
        try:
            for text in _texts(options, "repositories"):
                name = images.repository_named(text)
                found[str(name)] = partial(images.purge_repository, name=name)
        except ImagesRefused as error:
            raise CommandRefused(str(error)) from error
        for key in _texts(options, "upstreams"):
            found[f"upstream {key}"] = partial(images.purge_upstream, key=key)
        return found

    @deferred
    async def _audited(
        self, who: Requester, what: str, work: Callable[[], Deferred[PurgedImages]]
    ) -> PurgedImages:
        outcome = DONE
        try:
            return await work()
        except BaseException as error:
            outcome = outcome_of(error, ImagesRefused)
            if isinstance(error, ImagesRefused):
                raise CommandRefused(str(error)) from error
            raise
        finally:
            entry = AuditEntry("purge", outcome, who.who, who.peer, detail=what)
            self._audit.record(entry)
