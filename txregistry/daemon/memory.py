"""Memory settings of the process; set once, before it serves."""

from __future__ import annotations

import ctypes
import gc

import attrs
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from txregistry.flow.disk import Disk

#: Seconds between two returns of free memory to the system.
GIVE_BACK_SECONDS = 60.0

#: Of glibc's mallopt(3): the length from which a block is mapped separately, and how
#: much free memory at the end of the heap is returned to the system.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
_MAPPED_BYTES = 4 * 1024 * 1024
_KEPT_BYTES = 16 * 1024 * 1024


def tune_gc() -> None:
    """Exclude long-lived objects from the cycle collector.

    Everything built so far lives as long as the process, and a request leaves few
    cycles: a scan every 700 objects takes a tenth of the CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def keep_buffers() -> None:
    """Reuse freed buffers instead of returning them to the system at once.

    A body is read in pieces of some megabytes. glibc returns each when it is freed, and
    the kernel clears the next page by page: a third of the CPU of a push. Does nothing
    if the C library has no such settings.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back() -> None:
    """Return free memory to the system; blocks for milliseconds.

    Memory that concurrent uploads freed lies between blocks in use, and would stay.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(_KEPT_BYTES)


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
