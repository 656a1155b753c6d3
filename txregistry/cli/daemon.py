"""Send a command to the daemon, over its control socket."""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from txregistry.cli.exits import NOT_PERMITTED, CommandFailed

#: Called with the progress that the daemon reports.
TellMade = Callable[[Mapping[str, Any]], None]

#: Seconds of silence after which a daemon is given up: it shows signs of life.
PATIENCE = 60.0

_ENDED = "the daemon ended before it was done"
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
    for answer in _answers(connection, {"command": command, "options": options}):
        if "error" in answer:
            raise DaemonFailed(str(answer["error"]))
        if "report" in answer:
            report: dict[str, Any] = answer["report"]
            return report
        if "progress" in answer:
            tell(answer["progress"])
    raise DaemonFailed(_ENDED)


def stop(connection: socket.socket) -> None:
    """Ask the daemon to end the command under way; it then sends its report."""
    with suppress(OSError):  # it has ended
        connection.sendall(b'{"command": "stop"}\n')


def _answers(
    connection: socket.socket, question: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    try:
        connection.sendall(json.dumps(question).encode("utf-8") + b"\n")
        with connection.makefile("rb") as lines:
            yield from map(_read, lines)
    except TimeoutError as error:
        raise DaemonFailed(_silent(connection.gettimeout() or 0.0)) from error
    except OSError as error:
        # A killed daemon resets the connection.
        raise DaemonFailed(_ENDED) from error


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
