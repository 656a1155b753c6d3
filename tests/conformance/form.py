"""The form of a case, and what cases say of an answer."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from tests.conformance.client import Client, Response

Run = Callable[[Client], Awaitable[None]]

MUST, SHOULD, MAY = "MUST", "SHOULD", "MAY"

#: A registry that takes everything, deletes included.
PLAIN = "plain"
#: One with ``storage.delete.enabled: false``.
NO_DELETES = "no deletes"
#: One that is read-only for maintenance.
READ_ONLY = "read-only"
#: One in front of an upstream that cannot be reached.
CACHE = "cache"
#: One that takes whoever has any credentials at all.
SILLY = "silly"
#: One that does not ask for the children of an index, and allows some URLs.
LENIENT = "lenient"

#: What the challenge of a :data:`SILLY` registry says.
SILLY_REALM, SILLY_SERVICE = "https://auth.example/token", "registry.example"
#: Where a :data:`LENIENT` registry lets foreign layers be.
ALLOWED_URLS, DENIED_URLS = "^https://layers\\.example/", "/secret/"


@attrs.frozen
class Case:
    """One sentence about a registry.

    :ivar name: never changes, so that results can be compared.
    :ivar section: of the OCI distribution specification 1.1, or ``main:`` and the
        section that its main branch has added to, or ``distribution:`` and what
        Docker distribution does that clients rely on.
    :ivar word: of the specification; for what distribution does, MUST where a client
        fails without it.
    :ivar setting: how the registry has to be configured.
    """

    name: str
    section: str
    word: str
    setting: str
    run: Run

    @property
    def sentence(self) -> str:
        """Give what it says."""
        return inspect.getdoc(self.run) or ""

    @property
    def area(self) -> str:
        """Give the part of the API that it is about."""
        return self.name.partition(".")[0]

    @property
    def repository(self) -> str:
        """Give a repository name that is its own."""
        return "conformance/" + self.name.replace(".", "/").replace("_", "-")


def case(section: str, word: str, setting: str = PLAIN) -> Callable[[Run], Case]:
    """Make a case of a coroutine function."""

    def decorate(run: Run) -> Case:
        area = run.__module__.rpartition(".")[2]
        return Case(f"{area}.{run.__name__}", section, word, setting, run)

    return decorate


def equal(found: Any, expected: Any, what: str = "") -> None:
    """Say that two values are equal."""
    if found != expected:
        raise AssertionError(f"{what or 'found'}: {found!r}, expected {expected!r}")


def holds(truth: Any, what: str) -> None:
    """Say that something is so."""
    if not truth:
        raise AssertionError(what)


def expect(got: Response, *statuses: int) -> Response:
    """Say what the status is, and give the answer again."""
    if got.status not in statuses:
        raise AssertionError(
            f"status {got.status}, expected {statuses}: {got.body[:300]!r}"
        )
    return got


def refused(got: Response, statuses: int | tuple[int, ...], *codes: str) -> None:
    """Say that an answer is an error in the form of the specification.

    :param codes: of which the first error has one; any if none is given.
    """
    expect(got, *(statuses if isinstance(statuses, tuple) else (statuses,)))
    kind = got.header("Content-Type") or ""
    equal(kind.partition(";")[0], "application/json", "Content-Type of an error")
    equal(got.length, len(got.body), "Content-Length of an error")
    errors = json.loads(got.body)["errors"]
    holds(isinstance(errors, list) and errors, "there is no error in the list")
    for error in errors:
        holds(re.fullmatch("[A-Z_]+", error["code"]), f"code: {error['code']}")
        holds(isinstance(error.get("message", ""), str), "a message is text")
    holds(not codes or errors[0]["code"] in codes, f"{errors} is none of {codes}")
