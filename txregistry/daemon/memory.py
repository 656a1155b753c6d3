"""How the process of a daemon holds memory; set once, before it serves."""

from __future__ import annotations

import ctypes
import gc

import attrs
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from txregistry.flow.disk import Disk

#: How often memory that is not used any more goes back.
GIVE_BACK_SECONDS = 60.0

#: Of glibc's mallopt(3): from which length on a block is mapped for itself, and how
#: much unused memory at the end of the heap goes back to the system.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
_MAPPED_BYTES = 4 * 1024 * 1024
_KEPT_BYTES = 16 * 1024 * 1024


def tune_gc() -> None:
    """Spare the cycle collector what never becomes garbage.

    Everything built so far lives as long as the process, and a request leaves few
    cycles behind: looking through it all every 700 objects is a tenth of the CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def keep_buffers() -> None:
    """Let freed buffers be used again rather than go back to the system at once.

    A body is read in pieces of some megabytes. glibc gives each back when it is freed,
    and the next has to be cleared by the kernel page by page: a third of the CPU of a
    push. Where the C library has no such settings, nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back() -> None:
    """Give the system what is not used any more; blocking, for milliseconds.

    What many uploads at a time have freed lies between what is in use, and would stay.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(_KEPT_BYTES)


@attrs.define(eq=False, slots=False)
class MallocTrimmer(Service):
    """Gives memory back once a minute."""

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
