"""Return of free memory to the system."""

from __future__ import annotations

import ctypes

import attrs
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from txregistry.flow.disk import Disk
from txregistry.speed.memory import KEPT_BYTES

#: Seconds between two returns of free memory to the system.
GIVE_BACK_SECONDS = 60.0


def give_back() -> None:
    """Return free memory to the system; blocks for milliseconds.

    Memory that concurrent uploads freed lies between blocks in use, and would stay.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(KEPT_BYTES)


@attrs.define(eq=False, slots=False)
class MallocTrimmer(Service):
    """Returns free memory once a minute."""

    _disk: Disk
    _clock: IReactorTime
    _loop: LoopingCall = attrs.field(init=False)

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._loop = LoopingCall(self._disk.run, give_back)
        self._loop.clock = self._clock
        self._loop.start(GIVE_BACK_SECONDS, now=False)

    def stopService(self) -> None:
        """End."""
        super().stopService()
        self._loop.stop()
