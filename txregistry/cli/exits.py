"""Exit statuses of ``txregistry``, and how a command ends with one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from txregistry.assembly.loading import EX_CONFIG

FAILED = 1

#: Of ``verify``; click ends with the same for a wrong command line.
NOT_ALL_READ = 2

#: Of ``reload``.
NEEDS_RESTART = 3

#: What each status says, for the manual page.
STATUSES: Mapping[int, str] = {
    0: "Done; of config check: there are no problems.",
    FAILED: "It failed; config check has found problems, or verify damage; or a key"
    " is unknown.",
    2: "The command line is wrong, or the file that it names cannot be opened; of"
    " verify: not everything could be read.",
    NEEDS_RESTART: "Of reload: some changed keys need a restart.",
    EX_CONFIG: "The configuration cannot be used; config check tells why.",
}


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
