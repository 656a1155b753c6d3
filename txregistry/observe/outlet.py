"""Non-blocking output of logs to a file, a terminal or a pipe.

Note [Nobody waits for a log]. Writing to a full pipe blocks, and would stop the
reactor. A pipe that is ready accepts ``PIPE_BUF`` bytes without blocking (pipe(7)), so
at most that many are written at a time. Lines for which the pipe has no room are
buffered up to a limit; beyond it, or when the disk is full, they are dropped and
counted.
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

#: ``PIPE_BUF``: bytes that a ready pipe accepts (4096 on Linux; 512 at least in POSIX).
PIPE_BYTES = 4096

#: Limit of buffered bytes.
MAX_BUFFERED_BYTES = 1024 * 1024

#: Seconds between two attempts to write, and that :meth:`Outlet.close` waits in total.
_RETRY_SECONDS, _CLOSE_SECONDS = 0.05, 1.0


#: The mode of logs, and of the audit trail: only the owner and the group may read who
#: did what.
LOG_MODE, AUDIT_MODE = 0o666, 0o640


def open_log(path: str, mode: int) -> int:
    """Open a file that lines are appended to; return its descriptor.

    :raise OSError: it cannot be opened.
    """
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, mode)


@attrs.frozen
class LogFile:
    """An open file of a log, which is opened again when it was renamed."""

    path: str
    mode: int
    descriptor: int

    @classmethod
    def open(cls, path: str, mode: int) -> LogFile:
        """Open a file; the path holds after a change of the working directory too.

        :raise OSError: it cannot be opened.
        """
        path = os.path.abspath(path)
        return cls(path, mode, open_log(path, mode))

    def reopen(self) -> None:
        """Open the path again, under the descriptor that writers have.

        :raise OSError: it cannot be opened; the file from before stays in use.
        """
        fresh = open_log(self.path, self.mode)
        try:
            os.dup2(fresh, self.descriptor, inheritable=False)
        finally:
            os.close(fresh)


class ILines(Protocol):
    """Accepts lines, as a text file does."""

    def write(self, text: str, /) -> object:
        """Write one or more complete lines."""


@attrs.define(eq=False)
class Outlet:
    """Writes lines to a file descriptor without blocking; callable from any thread.

    See Note [Nobody waits for a log].

    :param reactor: schedules retries (``IReactorTime`` and ``IReactorFromThreads``).
    :ivar dropped: number of lines that were not written.
    """

    _descriptor: int
    _reactor: Any
    dropped: int = 0
    _buffer: bytearray = attrs.field(factory=bytearray)
    _retry_scheduled: bool = False
    _poll: Any = attrs.field(init=False)
    _lock: Any = attrs.field(factory=Lock)

    def __attrs_post_init__(self) -> None:
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)

    def write(self, text: str) -> None:
        """Write lines now or later; they are dropped if the buffer is full."""
        data = text.encode("utf-8", "backslashreplace")
        with self._lock:
            if len(self._buffer) + len(data) > MAX_BUFFERED_BYTES:
                self.dropped += data.count(b"\n")
                return
            self._buffer += data
            self._send()
            if self._buffer and not self._retry_scheduled:
                self._retry_scheduled = True
                self._reactor.callFromThread(self._schedule_retry)

    def close(self) -> None:
        """Write the buffered lines, waiting for a second at most, and drop the rest."""
        with self._lock:
            self._send(monotonic() + _CLOSE_SECONDS)
            self._drop()

    def _schedule_retry(self) -> None:
        self._reactor.callLater(_RETRY_SECONDS, self._retry)

    def _retry(self) -> None:
        with self._lock:
            self._send()
            self._retry_scheduled = bool(self._buffer)
        if self._retry_scheduled:
            self._schedule_retry()

    def _send(self, until: float = 0.0) -> None:
        """Write buffered bytes while there is room.

        :param until: time of the monotonic clock until which to block for more room.
        """
        try:
            while self._buffer and self._poll.poll(_milliseconds(until)):
                sent = os.write(self._descriptor, self._buffer[:PIPE_BYTES])
                del self._buffer[:sent]
        except BlockingIOError:
            return  # another process filled the pipe after the poll
        except OSError:
            # The disk is full or the reader is gone; later lines may succeed.
            self._drop()

    def _drop(self) -> None:
        self.dropped += self._buffer.count(b"\n")
        self._buffer.clear()


def _milliseconds(until: float) -> float:
    return max(0.0, until - monotonic()) * 1000 if until else 0.0


@attrs.define(eq=False)
class DroppedLines(Collector):
    """The metric of dropped lines, by log."""

    _outlets: Mapping[str, Outlet]

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the current metric."""
        found = CounterMetricFamily(
            "registry_log_lines_dropped",
            "Lines dropped because the reader was slow or the disk full",
            labels=["log"],
        )
        for name, outlet in self._outlets.items():
            found.add_metric([name], outlet.dropped)
        yield found
