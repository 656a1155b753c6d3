"""``auth.htpasswd``: names and bcrypt hashes in a file of Apache's format.

A check costs tens of milliseconds by design. It is made off the reactor thread, once
for however many requests bring the same credentials, and a success is remembered, in
memory only and as a keyed hash, until the file changes.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import hmac
import os
import re
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

import attrs
import bcrypt
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.auth.challenges import basic, unauthorized
from txregistry.auth.files import WatchedFile
from txregistry.flow.deferred import Flights, deferred
from txregistry.flow.disk import Disk
from txregistry.interfaces.access import Access, Grant, IAccessController, RequestFacts
from txregistry.spec.errors import Unavailable

#: Passwords that are checked or wait to be; more than this is an attack or a storm.
MAX_CHECKS = 256

#: Successes that are remembered.
MAX_REMEMBERED = 10_000

_log = Logger(namespace="txregistry.auth.htpasswd")

#: bcrypt looks at no more of a password.
_MAX_PASSWORD_BYTES = 72

#: A hash of bcrypt: version, cost, 22 characters of salt and 31 of hash. What follows
#: it in a line is somebody's comment, as for Go.
_BCRYPT = re.compile(rb"\$2[abxy]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")


Entries = Mapping[str, bytes]


def parse_entries(content: bytes) -> Entries:
    """Read the lines of a file; empty ones and comments are passed over.

    :return: what follows each user's name; the last line of a user counts.
    :raise ValueError: a line has no colon.
    """
    return {name: rest for _, name, rest in _lines(content)}


def unusable_lines(content: bytes) -> Sequence[int]:
    """Give the numbers of the lines that let nobody in."""
    return [number for number, _, rest in _lines(content) if not hash_of(rest)]


def hash_of(rest: bytes) -> bytes:
    """Give the hash of bcrypt with which the rest of a line begins, or nothing."""
    found = _BCRYPT.match(rest)
    return found[0] if found else b""


def _lines(content: bytes) -> Iterator[tuple[int, str, bytes]]:
    """Give number, name and rest of each line that says something."""
    lines = content.removeprefix(codecs.BOM_UTF8).split(b"\n")
    for number, line in enumerate(lines, 1):
        name, colon, rest = line.strip().partition(b":")
        if (not name and not colon) or name.startswith(b"#"):
            continue
        if not colon:
            raise ValueError(f"line {number}: expected name:hash")
        # A name that is no UTF-8 is nobody's who comes by HTTP, and harms nobody.
        yield number, name.decode("utf-8", "surrogateescape"), rest


def watch_entries(path: str) -> WatchedFile[Entries]:
    """Give the entries of a file; the log tells of lines that cannot be used."""

    def parse(content: bytes) -> Entries:
        for number in unusable_lines(content):
            _log.warn(
                "{path}: line {number} lets nobody in: its hash is none of bcrypt",
                path=path,
                number=number,
            )
        return parse_entries(content)

    return WatchedFile(path, parse)


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


@implementer(IAccessController)
@attrs.define(eq=False)
class HtpasswdAccess:
    """Grants everything to whoever knows a password of the file."""

    _realm: str
    _file: WatchedFile[Entries]
    _disk: Disk
    _key: bytes = attrs.field(factory=lambda: secrets.token_bytes(32))
    _remembered: OrderedDict[bytes, bytes] = attrs.field(factory=OrderedDict)
    _flights: Flights[bytes, bool] = attrs.field(factory=Flights)
    # Compared with where there is no such user, so that it takes as long.
    _nobody: bytes = attrs.field(factory=lambda: bcrypt.hashpw(b"", bcrypt.gensalt()))
    _log = Logger()

    @deferred
    async def authorize(self, facts: RequestFacts, wanted: Sequence[Access]) -> Grant:
        """Fire with a grant to the user."""
        found = parse_basic(facts.authorization)
        if found is None or not await self._check(*found):
            raise unauthorized(wanted, basic(self._realm))
        return Grant(found[0])

    @deferred
    async def _check(self, user: str, password: bytes) -> bool:
        try:
            entries = self._file.read()
        except OSError as error:
            reason = error.strerror
            self._log.error("{path}: {reason}", path=self._file.path, reason=reason)
            raise Unavailable({"reason": "the password file cannot be read"}) from error
        hashed = hash_of(entries.get(user, b""))
        # The hash of the moment is part of it: a changed one is checked anew.
        said = b"\0".join((user.encode("utf-8"), hashed, password))
        proof = hmac.digest(self._key, said, "sha256")
        if self._remembered.get(proof) == hashed and hashed:
            self._remembered.move_to_end(proof)
            return True
        if len(self._flights) >= MAX_CHECKS:
            raise Unavailable({"reason": "too many passwords to check"}, 1.0)
        usable = hashed or _stand_in(entries) or self._nobody
        matches = await self._flights.join(
            proof, lambda: self._disk.run(_matches, usable, password)
        )
        if usable is not hashed or not matches:
            return False
        self._remember(proof, hashed)
        return True

    def _remember(self, proof: bytes, hashed: bytes) -> None:
        self._remembered[proof] = hashed
        while len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)


def _stand_in(entries: Entries) -> bytes:
    """Give what costs as much to compare with as any hash of the file does."""
    hashes = map(hash_of, entries.values())
    return max(hashes, key=lambda found: found[4:6], default=b"")


def _matches(hashed: bytes, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:_MAX_PASSWORD_BYTES], hashed)
    except ValueError:
        return False  # a hash with a salt that is none never matches


def parse_basic(header: str) -> tuple[str, bytes] | None:
    """Read the name and password of a ``Basic`` header (RFC 7617)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(
            encoded.strip(), validate=True
        ).partition(b":")
        return (user.decode("utf-8"), password) if colon else None
    except (ValueError, binascii.Error):
        return None
