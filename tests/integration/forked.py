"""Starts programs by a process that has imported what they import."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from io import FileIO
from pathlib import Path

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
        """Have one of :data:`~tests.integration.forkserver.PROGRAMS` run.

        :param argv: its path, and its arguments.
        :return: fires with the process when it has begun; fails with
            :exc:`ProcessTerminated` if there is nobody to fork.
        """
        ours, theirs = zip(*(os.pipe() for _ in range(3)), strict=True)
        try:
            self._ask(argv, env, cwd, theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return Forked(protocol).follow(*ours)

    def fork_in_thread(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: str, log: int
    ) -> ForkedInThread:
        """Do the same, and wait until it has begun; what it writes goes to a file."""
        status, to_status = os.pipe()
        try:
            self._ask(argv, env, cwd, (log, log, to_status))
        finally:
            os.close(to_status)
        return ForkedInThread(os.fdopen(status, "rb", 0))

    def _ask(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        descriptors: Sequence[int],
    ) -> None:
        request = {"argv": list(argv), "env": dict(env), "cwd": os.path.abspath(cwd)}
        socket.send_fds(self._requests, [json.dumps(request).encode()], descriptors)


_shared: list[Forkserver] = []


def shared_forkserver() -> Forkserver:
    """Give the one of this process."""
    if not _shared:
        _shared.append(Forkserver.start())
    return _shared[0]


def can_fork(program: str, env: Mapping[str, str]) -> bool:
    """Tell whether it is one of the programs, and finds the modules that we find."""
    path, name = Path(program), "PYTHONPATH"
    is_ours = path.parent == Path(sys.executable).parent
    is_known = path.name in forkserver.PROGRAMS
    return is_ours and is_known and env.get(name) == os.environ.get(name)


async def finished(
    argv: Sequence[str], env: Mapping[str, str]
) -> tuple[bytes, bytes, int | None]:
    """Run a program to its end.

    :return: what it wrote, to standard output and to standard error, and its exit
        status; ``None`` after a signal.
    """
    collected = _Collected()
    await shared_forkserver().fork(collected, argv, env, os.getcwd())
    status = await collected.ended
    return b"".join(collected.out), b"".join(collected.err), status


class _Collected(ProcessProtocol):
    """Keeps what a process writes, and tells when it ends."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.err: list[bytes] = []
        self.ended: Deferred[int | None] = Deferred()
        self.outReceived, self.errReceived = self.out.append, self.err.append

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(reason.value.exitCode)


@attrs.define(eq=False)
class Forked:
    """What :class:`twisted.internet.process.Process` is of one that was spawned."""

    _protocol: ProcessProtocol
    pid: int | None = None
    _told: bytes = b""
    _open: int = 3
    _began: Deferred[Forked] = attrs.field(factory=Deferred)

    def follow(self, output: int, error: int, status: int) -> Deferred[Forked]:
        """Read what it says and what is said of it, to the ends of all."""
        for number, received in (
            (output, self._protocol.outReceived),
            (error, self._protocol.errReceived),
            (status, self._tell),
        ):
            _Pipe(number, received, self._ended).startReading()
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


@attrs.define(eq=False)
class ForkedInThread:
    """What :class:`subprocess.Popen` is of a process that we spawned."""

    _status: FileIO
    returncode: int | None = None
    pid: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pid = int(self._status.readline())

    def poll(self) -> int | None:
        """Give the exit status, or ``None`` while it runs."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended.

        :raise subprocess.TimeoutExpired: it has not in as many seconds.
        """
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            with self._status as status:
                self.returncode = os.waitstatus_to_exitcode(int(status.readline()))
        return self.returncode

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


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
