"""Send a command to the daemon, over its control socket."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

#: Called with the progress that the daemon reports.
TellMade = Callable[[Mapping[str, Any]], None]

_ENDED = "the daemon ended before it was done"


class DaemonFailed(Exception):
    """A command failed; the message says why."""


def connect(path: str) -> socket.socket | None:
    """Connect to a daemon; ``None`` if none listens, or the path is empty.

    :param path: the control socket, or a link to it.
    """
    if not path:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(os.path.realpath(path))
    except OSError:
        connection.close()
        return None
    return connection


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
            yield from map(json.loads, lines)
    except (OSError, ValueError) as error:
        # A killed daemon resets the connection, or leaves half a line.
        raise DaemonFailed(_ENDED) from error
