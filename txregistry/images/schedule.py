"""Warm images by itself, every so often (``proxy.warm``)."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.images import (
    IImages,
    ImagesRefused,
    WarmProgress,
    WarmReport,
)
from txregistry.spec.platforms import WantedPlatform


@attrs.frozen
class WarmPlan:
    """What to warm, and when.

    :ivar images: as clients name them.
    :ivar path: of a file of further ones; empty for none.
    :ivar platforms: of indexes; none for all.
    :ivar first_delay: seconds from the start, or a changed plan, to the first round.
    :ivar interval: seconds from the end of a round to the next one.
    """

    images: tuple[str, ...] = ()
    path: str = ""
    platforms: tuple[WantedPlatform, ...] = ()
    first_delay: float = 0.0
    interval: float = 0.0

    @property
    def has_images(self) -> bool:
        """Return whether there is anything to warm."""
        return bool(self.images or self.path)


@attrs.define(eq=False, slots=False)
class WarmSchedule(Service):
    """Warms one image after the other; one that fails is tried in the next round.

    :param read_list: gives the images of a file, which it reads in a thread; fails with
        ``OSError``.
    """

    _images: IImages
    _plan: WarmPlan
    _read_list: Callable[[str], Deferred[list[str]]]
    _clock: IReactorTime
    _looping: Deferred[None] | None = None
    _log = Logger()

    def startService(self) -> None:
        """Start the timer."""
        super().startService()
        self._begin()

    @deferred
    async def stopService(self) -> None:
        """Stop; what is being fetched is kept for the next time."""
        super().stopService()
        self._end()

    def follow(self, plan: WarmPlan) -> None:
        """Use another plan; a round under way ends."""
        self._plan = plan
        self._end()
        if self.running:
            self._begin()

    def _begin(self) -> None:
        if self._plan.has_images:
            self._looping = self._loop()

    def _end(self) -> None:
        looping, self._looping = self._looping, None
        if looping is not None:
            looping.cancel()

    @background("warm")
    @deferred
    async def _loop(self) -> None:
        plan, delay = self._plan, self._plan.first_delay
        try:
            while True:
                await deferLater(self._clock, delay)
                await self._try_round(plan)
                delay = plan.interval
        except CancelledError:
            return

    @deferred
    async def _try_round(self, plan: WarmPlan) -> None:
        try:
            await self._round(plan)
        except CancelledError:
            raise
        except Exception:
            self._log.failure("warming failed; the next try is the next round")

    @deferred
    async def _round(self, plan: WarmPlan) -> None:
        fetched = failed = 0
        for text in [*plan.images, *await self._listed(plan.path)]:
            report = await self._warm(text, plan.platforms)
            fetched += report.fetched
            failed += bool(report.failures)
            for failure in report.failures[:1]:
                self._log.warn(
                    "{image} is not warm: {failure}", image=text, failure=failure
                )
        self._log.info(
            "warmed: {fetched} parts fetched, {failed} images failed",
            fetched=fetched,
            failed=failed,
        )

    @deferred
    async def _warm(
        self, text: str, platforms: tuple[WantedPlatform, ...]
    ) -> WarmReport:
        """Warm one image; whatever it fails with keeps no other one back."""
        try:
            return await self._images.warm(
                image=self._images.named(text), platforms=platforms, tell=_tell_nobody
            )
        except CancelledError:
            raise
        except (ImagesRefused, DriverError) as error:
            return WarmReport(text, failures=[str(error)])
        except Exception as error:
            self._log.failure("warming {image} failed", image=text)
            return WarmReport(text, failures=[repr(error)])

    @deferred
    async def _listed(self, path: str) -> list[str]:
        if not path:
            return []
        try:
            return await self._read_list(path)
        except OSError as error:
            self._log.warn("proxy.warm.file cannot be read: {error}", error=str(error))
            return []


def _tell_nobody(made: WarmProgress) -> None:
    """Leave progress untold."""


def images_in(text: str) -> list[str]:
    """Return the images of a list: one in a line, ``#`` begins a comment (pure)."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]
