"""Apache password files: user names and bcrypt hashes.

Note [Good lines count]. When the file changes while the daemon runs, all valid lines
take effect at once; an invalid one lets nobody in, and is logged. If one invalid line
made the whole file invalid, the old content would stay in effect, and users removed in
the same change could still log in. At the start a line without a colon is an error, as
an administrator is present.
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

#: A bcrypt hash: version, cost, 22 characters of salt and 31 of hash; the last
#: characters of both encode 2 and 4 bits. The rest of a line is ignored, as by Go.
_BCRYPT = re.compile(
    rb"\$2[abxy]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]"
)

#: bcrypt has no lower cost; with a higher one, a login would occupy a thread for a
#: minute.
MIN_COST, MAX_COST = 4, 18

_NO_COLON = "expected name:hash"
_NO_HASH = f"expected a bcrypt hash of cost {MIN_COST} to {MAX_COST}"


@attrs.frozen
class Entries:
    """The users of a file.

    :ivar hashes: by user; empty for a user whose line is invalid.
    :ivar costliest: the hash that takes longest to check, for unknown users; empty if
        there is none.
    """

    hashes: Mapping[str, bytes]
    costliest: bytes

    @classmethod
    def of(cls, lines: Mapping[str, bytes]) -> Entries:
        """Create entries from the rest of each user's line."""
        hashes = {name: hash_of(rest) for name, rest in lines.items()}
        valid = [hashed for hashed in hashes.values() if hashed]
        return cls(hashes, max(valid, key=cost_of, default=b""))


@attrs.frozen
class _Line:
    """One line that is neither empty nor a comment.

    :ivar rest: the part after the colon; ``None`` without a colon.
    """

    number: int
    name: str
    rest: bytes | None


def parse_entries(content: bytes) -> Mapping[str, bytes]:
    """Parse a file; empty lines and comments are skipped.

    :return: the part after the colon, by user; the last line of a user counts.
    :raise ValueError: a line has no colon.
    """
    lines = list(_lines(content))
    for line in lines:
        if line.rest is None:
            raise ValueError(f"line {line.number}: {_NO_COLON}")
    return _by_name(lines)


def valid_entries(content: bytes) -> Entries:
    """Parse the valid lines of a file; never fails."""
    return Entries.of(_by_name(_lines(content)))


def invalid_lines(content: bytes) -> Sequence[tuple[int, str]]:
    """Return the number of each invalid line, and what is wrong with it."""
    reasons = ((line.number, _line_problem(line)) for line in _lines(content))
    return [(number, reason) for number, reason in reasons if reason]


def hash_of(rest: bytes) -> bytes:
    """Return the bcrypt hash at the start of a line's rest; empty if invalid.

    It is invalid also if its cost is not from ``MIN_COST`` to ``MAX_COST``.
    """
    found = _BCRYPT.match(rest)
    is_valid = found is not None and MIN_COST <= cost_of(found[0]) <= MAX_COST
    return found[0] if found is not None and is_valid else b""


def cost_of(hashed: bytes) -> int:
    """Return the cost of a hash; each step doubles the time of a check."""
    return int(hashed.split(b"$")[2])


def _line_problem(line: _Line) -> str:
    if line.rest is None:
        return _NO_COLON
    return "" if hash_of(line.rest) else _NO_HASH


def _by_name(lines: Iterable[_Line]) -> dict[str, bytes]:
    return {line.name: line.rest or b"" for line in lines}


def _lines(content: bytes) -> Iterator[_Line]:
    """Yield the lines that are neither empty nor comments."""
    lines = content.removeprefix(codecs.BOM_UTF8).split(b"\n")
    for number, line in enumerate(lines, 1):
        name, colon, rest = line.strip().partition(b":")
        if (not name and not colon) or name.startswith(b"#"):
            continue
        # A name that is not in UTF-8 matches no user of a Basic header.
        text = name.decode("utf-8", "surrogateescape")
        yield _Line(number, text, rest if colon else None)


def watch_entries(path: str) -> WatchedFile[Entries]:
    """Return the entries of a file, reloaded when it changes; invalid lines are logged.

    The first read raises ``ValueError`` for a line without a colon.
    See Note [Good lines count].
    """

    def salvage(content: bytes) -> Entries:
        for number, reason in invalid_lines(content):
            _log.warn(
                "{path}: line {number} is invalid, its user cannot log in: {reason}",
                path=path,
                number=number,
                reason=reason,
            )
        return valid_entries(content)

    def parse(content: bytes) -> Entries:
        parse_entries(content)
        return salvage(content)

    return WatchedFile(path, parse, salvage)


def create_file(path: str) -> str | None:
    """Create a missing file, with the user ``docker`` and a random password.

    :return: the password, or ``None`` if the file exists.
    :raise OSError: it cannot be created.
    """
    if os.path.exists(path):
        return None
    password = secrets.token_urlsafe(24)
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(b"docker:" + hashed + b"\n")
    return password
