"""``auth.htpasswd``: names and bcrypt hashes in a file of Apache's format.

A check costs tens of milliseconds by design. It is made off the reactor thread, once
for however many requests bring the same credentials, and a success is remembered, in
memory only and as a keyed hash, until the file changes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence

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

#: bcrypt looks at no more of a password.
_MAX_PASSWORD_BYTES = 72

Entries = Mapping[str, bytes]


def parse_entries(content: bytes) -> Entries:
    """Read the lines of a file; empty ones and comments are passed over.

    :raise ValueError: a line has no colon, or is no UTF-8.
    """
    found: dict[str, bytes] = {}
    for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, colon, hashed = text.partition(":")
        if not colon:
            raise ValueError(f"line {number}: expected name:hash")
        found[name] = hashed.encode("utf-8")
    return found


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
        hashed = entries.get(user, b"")
        # The hash of the moment is part of it: a changed one is checked anew.
        said = b"\0".join((user.encode("utf-8"), hashed, password))
        proof = hmac.digest(self._key, said, "sha256")
        if self._remembered.get(proof) == hashed and hashed:
            self._remembered.move_to_end(proof)
            return True
        if len(self._flights) >= MAX_CHECKS:
            raise Unavailable({"reason": "too many passwords to check"}, 1.0)
        usable = hashed if _is_bcrypt(hashed) else _stand_in(entries) or self._nobody
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
    hashes = [found for found in entries.values() if _is_bcrypt(found)]
    return max(hashes, key=lambda found: found[4:6], default=b"")


def _is_bcrypt(hashed: bytes) -> bool:
    return hashed[:2] == b"$2"


def _matches(hashed: bytes, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:_MAX_PASSWORD_BYTES], hashed)
    except ValueError:
        return False  # an entry of another kind than bcrypt never matches


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
