"""Send a command to the daemon, over its control socket."""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from txregistry.cli.exits import NOT_PERMITTED, CommandFailed

#: Called with the progress that the daemon reports.
TellMade = Callable[[Mapping[str, Any]], None]

#: Seconds of silence after which a daemon is given up: it shows signs of life.
PATIENCE = 60.0

_ENDED = "the daemon ended before it was done"
_CUT = "the daemon ended before it was done, or cannot read this content: see its log"
_FOREIGN = "what listens on the control socket is no daemon of txregistry"

#: There is nobody: no file, one that nobody listens on, or a path that no socket can
#: have (which has no number).
_NOBODY = {errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED, None}


class DaemonFailed(CommandFailed):
    """The daemon did not do a command, or cannot be asked."""


def connect(path: str) -> socket.socket | None:
    """Connect to a daemon; ``None`` if none listens, or the path is empty.

    :param path: the control socket, or a link to it.
    :raise DaemonFailed: one may listen, and cannot be asked.
    """
    if not path:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # A limit for a queue of connections that is full: what cannot wait fails at once.
    limit = struct.pack("ll", *divmod(int(PATIENCE * 1e6), 1_000_000))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    try:
        connection.connect(os.path.realpath(path))
    except OSError as error:
        connection.close()
        if error.errno in _NOBODY:
            return None
        raise _unreachable(path, error) from error
    connection.settimeout(PATIENCE)
    return connection


def _unreachable(path: str, error: OSError) -> DaemonFailed:
    if isinstance(error, PermissionError):
        # Twisted comes with it; see Note [Light commands] in ``places``.
        from txregistry.admin.requester import ourselves

        reason = (
            f"user {ourselves().who} may not open {path}: run it as root, or as the"
        )
        return DaemonFailed(f"{reason} user of the daemon", NOT_PERMITTED)
    if isinstance(error, BlockingIOError):
        return DaemonFailed(_silent(PATIENCE))
    if error.errno == errno.EPROTOTYPE:
        return DaemonFailed(_FOREIGN)
    return DaemonFailed(f"{path} cannot be opened: {error.strerror}")


def _silent(seconds: float) -> str:
    return f"the daemon has said nothing for {seconds:g} s, it may hang: see its log"


def ask(
    connection: socket.socket, command: str, options: Mapping[str, Any], tell: TellMade
) -> dict[str, Any]:
    """Run a command in the daemon; return its report.

    :raise DaemonFailed: the command failed.
    """
    with _asked(connection, command, options) as lines, _listening(connection):
        report: dict[str, Any] = _awaited(lines, "report", tell)
        return report


def stop(connection: socket.socket) -> None:
    """Ask the daemon to end the command under way; it then sends its report."""
    with suppress(OSError):  # it has ended
        connection.sendall(b'{"command": "stop"}\n')


class GivenContent:
    """Content that the daemon gives.

    :ivar size: in bytes.
    """

    def __init__(self, connection: socket.socket, lines: BinaryIO, size: int) -> None:
        self._connection, self._lines = connection, lines
        self.size = self._left = size

    def read(self, size: int = -1, /) -> bytes:
        """Return up to so many bytes; none at the end.

        :raise DaemonFailed: it ends early.
        """
        wanted = self._left if size < 0 else min(size, self._left)
        with _listening(self._connection):
            data = self._lines.read(wanted)
        if len(data) < wanted:
            raise DaemonFailed(_CUT)
        self._left -= len(data)
        return data


@contextmanager
def receive(
    connection: socket.socket, command: str, options: Mapping[str, Any]
) -> Iterator[GivenContent]:
    """Run a command that gives content, all of which is to be read.

    :raise DaemonFailed: the command failed.
    """
    with _asked(connection, command, options) as lines:
        with _listening(connection):
            size = int(_awaited(lines, "content"))
        yield GivenContent(connection, lines, size)
        with _listening(connection):
            _awaited(lines, "report")


def send(
    connection: socket.socket,
    command: str,
    options: Mapping[str, Any],
    pieces: Iterator[bytes],
) -> dict[str, Any]:
    """Run a command that takes content; return its report.

    :param pieces: are read when the daemon wants them.
    :raise DaemonFailed: the command failed.
    """
    with _asked(connection, command, options) as lines:
        with _listening(connection):
            _awaited(lines, "send")
        for piece in pieces:
            if not _sent(connection, piece):
                break  # it has said why
        with _listening(connection):
            report: dict[str, Any] = _awaited(lines, "report")
            return report


def _sent(connection: socket.socket, piece: bytes) -> bool:
    """Send a piece; return false if the daemon does not take it."""
    try:
        connection.sendall(piece)
    except TimeoutError as error:
        raise DaemonFailed(_silent(PATIENCE)) from error
    except OSError:
        return False
    return True


@contextmanager
def _asked(
    connection: socket.socket, command: str, options: Mapping[str, Any]
) -> Iterator[BinaryIO]:
    """Ask; give the lines of the answer."""
    question = {"command": command, "options": options}
    with _listening(connection):
        connection.sendall(json.dumps(question).encode("utf-8") + b"\n")
    with connection.makefile("rb") as lines:
        yield lines


@contextmanager
def _listening(connection: socket.socket) -> Iterator[None]:
    """Say what has become of a daemon that does not answer."""
    try:
        yield
    except TimeoutError as error:
        raise DaemonFailed(_silent(connection.gettimeout() or 0.0)) from error
    except OSError as error:
        # A killed daemon resets the connection.
        raise DaemonFailed(_ENDED) from error


def _awaited(lines: BinaryIO, key: str, tell: TellMade = lambda made: None) -> Any:
    """Read answers until the one with a key; return what it has.

    :raise DaemonFailed: the command failed.
    """
    for answer in map(_read, lines):
        if "error" in answer:
            raise DaemonFailed(str(answer["error"]))
        if key in answer:
            return answer[key]
        if "progress" in answer:
            tell(answer["progress"])
    raise DaemonFailed(_ENDED)


def _read(line: bytes) -> Mapping[str, Any]:
    if not line.endswith(b"\n"):
        raise DaemonFailed(_ENDED)
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise DaemonFailed(_FOREIGN) from error
    if not isinstance(answer, dict):
        raise DaemonFailed(_FOREIGN)
    return answer
