"""Exit statuses of ``txregistry``, and how a command ends with one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from txregistry.config.read import EX_CONFIG

FAILED = 1

#: Of ``verify``; click ends with the same for a wrong command line.
NOT_ALL_READ = 2

#: Of ``adopt``.
LOOK, CANNOT_ADOPT, NOT_PUT_BACK = 1, 2, 3

#: Of ``reload``.
NEEDS_RESTART = 3

#: ``EX_NOPERM`` of sysexits(3).
NOT_PERMITTED = 77

#: What each status says: in general, under no name, and of single commands. A command
#: with an empty text never ends so.
STATUSES: Mapping[int, Mapping[str, str]] = {
    0: {
        "": "It is done.",
        "config check": "There are no problems.",
        "verify": "All that was read is good.",
        "adopt": "It can be taken over; it was; it is taken back.",
    },
    FAILED: {
        "": "It failed.",
        "health": "The daemon is not well, or does not answer.",
        "config explain": "There is no such key.",
        "config check": "There are problems.",
        "explain": "It failed, or an image is not here.",
        "import": "It failed, or some image could not be taken in.",
        "ready": "It failed, or a pull would.",
        "warm": "It failed, or some of it could not be fetched.",
        "verify": "Something is damaged or missing.",
        "adopt": "It can be taken over, with something to look at; or --apply failed,"
        " and all is put back.",
    },
    NOT_ALL_READ: {
        "": "The command line is wrong, or the file that it names cannot be opened.",
        "verify": "Not everything could be read.",
        "adopt": "It cannot be taken over; nothing was changed.",
    },
    NEEDS_RESTART: {
        "reload": "Some changed keys need a restart.",
        "adopt": "Not all could be put back, or the old service does not answer again:"
        " see to what is said, and run --back again.",
    },
    NOT_PERMITTED: {
        "": "This user may not open the control socket of the daemon, or signal it.",
        "client-config": "",
        "adopt": "",
        "config check": "",
        "config explain": "",
    },
    EX_CONFIG: {
        "": "The configuration cannot be used; config check tells why.",
        "adopt": "",
        "config check": "",
        "config explain": "",
        "reload": "The configuration cannot be used; the previous one stays in force.",
    },
}


class CommandFailed(Exception):
    """A command did not do its work; the message says why.

    :ivar status: with which it ends.
    """

    def __init__(self, reason: str, status: int = FAILED) -> None:
        super().__init__(reason)
        self.status = status


def meaning(status: int) -> str:
    """Return all that a status means, in one line (pure)."""
    return " ".join(
        f"Of {command}: {text[:1].lower()}{text[1:]}" if command else text
        for command, text in STATUSES[status].items()
        if text
    )


def epilog(command: str) -> str:
    """Return the statuses of a command, for its help."""
    texts = {status: of.get(command, of.get("", "")) for status, of in STATUSES.items()}
    lines = [f"  {status:2}  {text}" for status, text in texts.items() if text]
    return "\b\n" + "\n".join(["Exit statuses:", *lines])


class OfflineFailed(Exception):
    """Work on a storage was not done; the message says why."""


def fail(
    reason: str,
    as_json: bool = False,
    status: int = FAILED,
    problems: Sequence[str] = (),
) -> NoReturn:
    """End with a reason on stderr, and with ``--json`` as an object on stdout as well.

    :param problems: one line each, which take the place of the reason on stderr.
    """
    for line in problems or [reason]:
        click.echo(line, err=True)
    if as_json:
        told = {"error": reason} | ({"problems": list(problems)} if problems else {})
        click.echo(json.dumps(told, indent=2))
    raise SystemExit(status)
