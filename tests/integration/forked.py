"""Starts daemons by a process that has imported what they import."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

import attrs
from twisted.internet import fdesc, reactor
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ProcessDone,
    ProcessExitedAlready,
    ProcessTerminated,
)
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from tests.integration import forkserver


@attrs.define(eq=False)
class Forkserver:
    """The process that forks, and the way to it."""

    _process: subprocess.Popen[bytes]
    _requests: socket.socket

    @classmethod
    def start(cls) -> Forkserver:
        """Start it; it ends with this process at the latest."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = str(theirs.fileno())
            process = subprocess.Popen(
                # Not with its directory in the path, where modules have common names.
                (sys.executable, "-P", forkserver.__file__, number),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        made = cls(process, ours)
        atexit.register(made.stop)
        return made

    def stop(self) -> None:
        """End it, and count its CPU time as ours."""
        self._requests.close()
        self._process.wait(60)

    def fork(
        self,
        protocol: ProcessProtocol,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
    ) -> Deferred[Forked]:
        """Have ``twistd`` run with arguments.

        :return: fires with the process when it has begun; fails with
            :exc:`ProcessTerminated` if there is nobody to fork.
        """
        output, to_output = os.pipe()
        status, to_status = os.pipe()
        request = {"argv": list(argv), "env": dict(env), "cwd": os.path.abspath(cwd)}
        sent = [json.dumps(request).encode()]
        try:
            socket.send_fds(self._requests, sent, [to_output, to_status])
        finally:
            os.close(to_output)
            os.close(to_status)
        return Forked(protocol).follow(output, status)


_shared: list[Forkserver] = []


def shared_forkserver() -> Forkserver:
    """Give the one of this process."""
    if not _shared:
        _shared.append(Forkserver.start())
    return _shared[0]


@attrs.define(eq=False)
class Forked:
    """What :class:`twisted.internet.process.Process` is of one that was spawned."""

    _protocol: ProcessProtocol
    pid: int | None = None
    _told: bytes = b""
    _open: int = 2
    _began: Deferred[Forked] = attrs.field(factory=Deferred)

    def follow(self, output: int, status: int) -> Deferred[Forked]:
        """Read what it says and what is said of it, to the end of both."""
        _Pipe(output, self._protocol.outReceived, self._ended).startReading()
        _Pipe(status, self._tell, self._ended).startReading()
        return self._began

    def signalProcess(self, signal_id: str | int) -> None:
        """Send a signal, by its name without ``SIG`` or its number."""
        if self.pid is None or self._told.count(b"\n") > 1:
            raise ProcessExitedAlready
        if isinstance(signal_id, str):
            signal_id = signal.Signals[f"SIG{signal_id}"]
        os.kill(self.pid, signal_id)

    def _tell(self, data: bytes) -> None:
        self._told += data
        if self.pid is None and b"\n" in self._told:
            self.pid = int(self._told.partition(b"\n")[0])
            self._began.callback(self)

    def _ended(self) -> None:
        self._open -= 1
        if self._open:
            return
        reason = Failure(_reason(self._told.split()[1:]))
        if self.pid is None:
            self._began.errback(reason)
        else:
            self._protocol.processEnded(reason)


def _reason(told: list[bytes]) -> Exception:
    """Give what Twisted gives for a status; without one, nobody was there to wait."""
    if not told:
        return ProcessTerminated()
    status = int(told[0])
    code = os.waitstatus_to_exitcode(status)
    if not code:
        return ProcessDone(status)
    if code < 0:
        return ProcessTerminated(None, -code, status)
    return ProcessTerminated(code, None, status)


class _Pipe(FileDescriptor):
    """The end of a pipe that is read from."""

    def __init__(
        self, number: int, received: Callable[[bytes], None], ended: Callable[[], None]
    ) -> None:
        super().__init__(reactor)
        fdesc.setNonBlocking(number)
        self._number, self._received, self._then = number, received, ended

    def fileno(self) -> int:
        return self._number

    def doRead(self) -> Exception | None:
        return fdesc.readFromFD(self._number, self._received)

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        os.close(self._number)
        self._number = -1
        self._then()
