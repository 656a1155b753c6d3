"""A password file of Apache's format: names and hashes of bcrypt.

Note [Good lines count]. A file that is changed while the daemon runs holds at once, as
far as it can be read: a line that says nothing usable lets nobody in, and is told. If
it made the whole file void, whoever was removed in the same change would still get in.
At a start a line without a colon refuses the file: then somebody looks.
"""

from __future__ import annotations

import codecs
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs
import bcrypt
from twisted.logger import Logger

from txregistry.flow.watched import WatchedFile

_log = Logger(namespace="txregistry.auth.htpasswd")

#: A hash of bcrypt: version, cost, 22 characters of salt and 31 of hash, whose last
#: ones stand for 2 and 4 bits. What follows in a line is somebody's comment, as for Go.
_BCRYPT = re.compile(
    rb"\$2[abxy]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]"
)

#: Below it bcrypt has none; above it one login would hold a thread for a minute.
MIN_COST, MAX_COST = 4, 18

_NO_COLON = "expected name:hash"


@attrs.frozen
class Entries:
    """Who may come in.

    :ivar hashes: by user; one whose line cannot be used has none.
    :ivar costliest: a hash that takes as long to compare with as any of the file does;
        empty if there is none.
    """

    hashes: Mapping[str, bytes]
    costliest: bytes

    @classmethod
    def of(cls, lines: Mapping[str, bytes]) -> Entries:
        """Make it from what follows each user's name."""
        hashes = {name: hash_of(rest) for name, rest in lines.items()}
        usable = [hashed for hashed in hashes.values() if hashed]
        return cls(hashes, max(usable, key=cost_of, default=b""))


@attrs.frozen
class _Line:
    """One line that says something.

    :ivar rest: what follows the name, or ``None`` if there is no colon.
    """

    number: int
    name: str
    rest: bytes | None


def parse_entries(content: bytes) -> Mapping[str, bytes]:
    """Read the lines of a file; empty ones and comments are passed over.

    :return: what follows each user's name; the last line of a user counts.
    :raise ValueError: a line has no colon.
    """
    lines = list(_lines(content))
    for line in lines:
        if line.rest is None:
            raise ValueError(f"line {line.number}: {_NO_COLON}")
    return _by_name(lines)


def usable_entries(content: bytes) -> Entries:
    """Read a file as far as it can be read; never fails."""
    return Entries.of(_by_name(_lines(content)))


def unusable_lines(content: bytes) -> Sequence[tuple[int, str]]:
    """Give the numbers of the lines that let nobody in, and why."""
    reasons = ((line.number, _why_unusable(line)) for line in _lines(content))
    return [(number, reason) for number, reason in reasons if reason]


def hash_of(rest: bytes) -> bytes:
    """Give the hash of bcrypt with which the rest of a line begins, or nothing."""
    found = _BCRYPT.match(rest)
    is_usable = found is not None and MIN_COST <= cost_of(found[0]) <= MAX_COST
    return found[0] if found is not None and is_usable else b""


def cost_of(hashed: bytes) -> int:
    """Give the cost of a hash: one more takes twice as long."""
    return int(hashed.split(b"$")[2])


def _why_unusable(line: _Line) -> str:
    if line.rest is None:
        return _NO_COLON
    return "" if hash_of(line.rest) else "its hash is none of bcrypt"


def _by_name(lines: Iterable[_Line]) -> dict[str, bytes]:
    return {line.name: line.rest or b"" for line in lines}


def _lines(content: bytes) -> Iterator[_Line]:
    """Give each line that says something."""
    lines = content.removeprefix(codecs.BOM_UTF8).split(b"\n")
    for number, line in enumerate(lines, 1):
        name, colon, rest = line.strip().partition(b":")
        if (not name and not colon) or name.startswith(b"#"):
            continue
        # A name that is no UTF-8 is nobody's who comes by HTTP, and harms nobody.
        text = name.decode("utf-8", "surrogateescape")
        yield _Line(number, text, rest if colon else None)


def watch_entries(path: str) -> WatchedFile[Entries]:
    """Give the entries of a file; the log tells of lines that cannot be used.

    It is refused at the first look if a line has no colon, and of later changes the
    good lines count; see Note [Good lines count].
    """

    def salvage(content: bytes) -> Entries:
        for number, reason in unusable_lines(content):
            _log.warn(
                "{path}: line {number} lets nobody in: {reason}",
                path=path,
                number=number,
                reason=reason,
            )
        return usable_entries(content)

    def parse(content: bytes) -> Entries:
        parse_entries(content)
        return salvage(content)

    return WatchedFile(path, parse, salvage)


def make_file(path: str) -> str | None:
    """Make a file that is missing, for one user with a random password.

    :return: the password, or ``None`` if the file is there.
    """
    if os.path.exists(path):
        return None
    password = secrets.token_urlsafe(24)
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    how = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, how, 0o600), "wb") as file:
        file.write(b"docker:" + hashed + b"\n")
    return password
