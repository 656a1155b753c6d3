"""Commands that one daemon does: which one, about which images, and its answer."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import click

from txregistry.assembly.ownpaths import own_path
from txregistry.cli.daemon import DaemonFailed, TellMade, ask, connect
from txregistry.cli.exits import fail
from txregistry.cli.places import place_of, usable
from txregistry.cli.remote import VARIABLE, RemoteDaemon, daemon_elsewhere
from txregistry.config.model import Config

#: Images in one question, of at most 64 KiB; a name has up to 512 characters.
IMAGES_AT_ONCE = 100

#: Adds ``-c FILE``.
config_option = click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(exists=True, dir_okay=False, readable=True),
    help="The configuration file of the daemon; by default that of TXREGISTRY_CONFIG,"
    " or of the service.",
)

#: Adds ``--file LIST``.
list_option = click.option(
    "--file",
    "lists",
    type=click.File("r"),
    multiple=True,
    help="Also the images of this file, one in a line; # begins a comment; - is"
    " standard input.",
)

#: Adds ``--platform OS/ARCHITECTURE``.
platform_option = click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="OS/ARCHITECTURE",
    help="Of images for several platforms only this one, such as linux/amd64; can be"
    " said several times.",
)


def image_arguments(command: Any) -> Any:
    """Add the arguments ``[IMAGE]...`` and ``--file``."""
    return click.argument("images", nargs=-1)(list_option(command))


def config_of(file: str | None, as_json: bool) -> Config:
    """Read the configuration of a daemon; ends with status 78 if it has problems."""
    named = file or os.environ.get("TXREGISTRY_CONFIG")
    return usable(place_of(named), as_json).config


def named_images(images: Sequence[str], lists: Iterable[TextIO]) -> list[str]:
    """Give the images of the command line and of files, each once.

    :raise click.UsageError: there are none.
    """
    lines = [line.partition("#")[0].strip() for file in lists for line in file]
    found = [*images, *(line for line in lines if line)]
    if not found:
        raise click.UsageError("name an image, or a file of them with --file")
    return list(dict.fromkeys(found))


class RunningDaemon:
    """A daemon that does commands, one connection for each.

    :param path: of its control socket; empty if it has none.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """Connect to it.

        :raise DaemonFailed: it cannot be asked.
        """
        connection = connect(self._path)
        if connection is None:
            where = f"nobody listens at {self._path}" if self._path else _NO_SOCKET
            raise DaemonFailed(f"no daemon answers: {where}")
        with connection:
            yield connection

    def ask(
        self,
        command: str,
        options: Mapping[str, Any],
        tell: TellMade = lambda made: None,
    ) -> dict[str, Any]:
        """Have it do a command; give its report.

        :raise DaemonFailed: it does not do it.
        """
        with self.connected() as connection:
            return ask(connection, command, options, tell)


def daemon_here(file: str | None, as_json: bool) -> RunningDaemon:
    """Give the daemon of a configuration, for what the API does not do.

    Ends as :func:`config_of`, and if another daemon is named.
    """
    if not file and os.environ.get(VARIABLE):
        fail(f"{_NO_CONTENT}, or unset {VARIABLE}", as_json)
    return daemon_of(file, as_json)


def daemon_of(file: str | None, as_json: bool) -> RunningDaemon:
    """Give the daemon of a configuration; ends as :func:`config_of`."""
    return RunningDaemon(own_path(config_of(file, as_json), "control.sock", ""))


def asked(
    file: str | None,
    command: str,
    options: Mapping[str, Any],
    as_json: bool,
    tell: TellMade = lambda made: None,
) -> dict[str, Any]:
    """Have a daemon do a command; give its report.

    Ends with the status of the failure, and says why, if it does not do it.
    """
    try:
        return _asked_of(file, as_json).ask(command, options, tell)
    except DaemonFailed as error:
        fail(str(error), as_json, error.status)


def _asked_of(file: str | None, as_json: bool) -> RunningDaemon | RemoteDaemon:
    """Give the daemon whose admin listener is named, or that of a configuration."""
    return daemon_elsewhere(file) or daemon_of(file, as_json)


_NO_CONTENT = "content is not carried over the API: name a daemon by -c"

_NO_SOCKET = (
    "one without a directory of its own (storage.statedirectory, or STATE_DIRECTORY)"
    " has no control socket"
)


def asked_of_images(
    file: str | None,
    command: str,
    images: Sequence[str],
    options: Mapping[str, Any],
    as_json: bool,
    tell: TellMade = lambda made: None,
) -> dict[str, Any]:
    """Have a daemon do a command for each image; give all its reports as one.

    A long list is asked for in parts, as a question has a limit.
    """
    reports: list[Any] = []
    for start in range(0, len(images), IMAGES_AT_ONCE):
        part = list(images[start : start + IMAGES_AT_ONCE])
        report = asked(file, command, {**options, "images": part}, as_json, tell)
        reports += report["images"]
    return {"images": reports}


def human_size(size: float) -> str:
    """Write a number of bytes for people: three digits, and a unit of 1,000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def human_span(seconds: float) -> str:
    """Write a span of time for people: the two largest units that it has.

    What is no more than a moment is ``0s``.
    """
    left, parts = max(0, round(seconds)), list[str]()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if parts or count:
            parts.append(f"{count}{unit}" if count else "")
        if len(parts) == 2:
            break
    return "".join(parts) or "0s"


def each_line(lines: Iterable[str], echo: Callable[[str], None] = click.echo) -> None:
    """Print lines."""
    for line in lines:
        echo(line)
