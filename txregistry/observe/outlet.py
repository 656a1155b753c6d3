"""Where logs go: a file, a terminal, or a pipe whose reader may be slow.

Note [Nobody waits for a log]. A pipe that is full holds whoever writes to it, which is
the reactor. One that is ready takes ``PIPE_BUF`` bytes at once (pipe(7)), so that no
more is written at a time. What there is no room for waits here, up to a limit; beyond
it, and where a disk is full, lines are dropped and counted.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator, Mapping
from threading import Lock
from time import monotonic
from typing import Any, Protocol

import attrs
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

#: Bytes that a pipe takes which is ready (POSIX has 512 as the least, Linux 4096).
PIPE_BYTES = 4096

#: Bytes that wait at most for a reader.
MAX_WAITING_BYTES = 1024 * 1024

#: Seconds between two looks at whether there is room, and that the end waits for some.
_AGAIN_SECONDS, _END_SECONDS = 0.05, 1.0


class ILines(Protocol):
    """What takes lines, such as a text file."""

    def write(self, text: str, /) -> object:
        """Take a line, or several, with the character that ends it."""


@attrs.define(eq=False)
class Outlet:
    """Writes lines to a descriptor without ever waiting for it; from any thread.

    See Note [Nobody waits for a log].

    :param reactor: is asked to try again (``IReactorTime`` and
        ``IReactorFromThreads``).
    :ivar dropped: lines that were not written.
    """

    _descriptor: int
    _reactor: Any
    dropped: int = 0
    _waiting: bytearray = attrs.field(factory=bytearray)
    _tries_again: bool = False
    _poll: Any = attrs.field(init=False)
    _lock: Any = attrs.field(factory=Lock)

    def __attrs_post_init__(self) -> None:
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)

    def write(self, text: str) -> None:
        """Write lines now, or later, or never."""
        data = text.encode("utf-8", "backslashreplace")
        with self._lock:
            if len(self._waiting) + len(data) > MAX_WAITING_BYTES:
                self.dropped += data.count(b"\n")
                return
            self._waiting += data
            self._send()
            if self._waiting and not self._tries_again:
                self._tries_again = True
                self._reactor.callFromThread(self._later)

    def end(self) -> None:
        """Write what waits, if there is room soon."""
        with self._lock:
            self._send(monotonic() + _END_SECONDS)
            self._drop()

    def _later(self) -> None:
        self._reactor.callLater(_AGAIN_SECONDS, self._again)

    def _again(self) -> None:
        with self._lock:
            self._send()
            self._tries_again = bool(self._waiting)
        if self._tries_again:
            self._later()

    def _send(self, until: float = 0.0) -> None:
        """Write what there is room for, and wait for more until a time."""
        try:
            while self._waiting and self._poll.poll(_milliseconds(until)):
                sent = os.write(self._descriptor, self._waiting[:PIPE_BYTES])
                del self._waiting[:sent]
        except BlockingIOError:
            return  # somebody else has written meanwhile
        except OSError:
            # The disk is full, or the reader has gone: those after it may fare better.
            self._drop()

    def _drop(self) -> None:
        self.dropped += self._waiting.count(b"\n")
        self._waiting.clear()


def _milliseconds(until: float) -> float:
    return max(0.0, until - monotonic()) * 1000 if until else 0.0


@attrs.define(eq=False)
class DroppedLines(Collector):
    """The counters of lines that were not written, by log."""

    _outlets: Mapping[str, Outlet]

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Give what the metrics show."""
        found = CounterMetricFamily(
            "registry_log_lines_dropped",
            "Lines that found no room, or whose disk was full",
            labels=["log"],
        )
        for name, outlet in self._outlets.items():
            found.add_metric([name], outlet.dropped)
        yield found
