"""``auth.htpasswd``: names and bcrypt hashes in a file of Apache's format.

A check costs tens of milliseconds by design. It is made off the reactor thread, once
for however many requests bring the same credentials, and a success is remembered, in
memory only and as a keyed hash, until the file changes. Peers and users that ask for
many have shares (:mod:`txregistry.auth.shares`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence

import attrs
import bcrypt
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.auth.challenges import basic, unauthorized
from txregistry.auth.passwords import Entries
from txregistry.auth.shares import Shares
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.flow.flights import Flights
from txregistry.flow.lru import Lru
from txregistry.flow.watched import WatchedFile
from txregistry.interfaces.access import Access, Grant, IAccessController, RequestFacts
from txregistry.spec.errors import Unavailable

#: Passwords that wait to be checked; more than this is an attack or a storm.
MAX_WAITING = 256

#: As many are checked at once: other work of the machine goes on.
CHECKS_AT_ONCE = 2

#: Successes that are remembered.
MAX_REMEMBERED = 10_000

#: bcrypt looks at no more of a password.
_MAX_PASSWORD_BYTES = 72


@implementer(IAccessController)
@attrs.define(eq=False)
class HtpasswdAccess:
    """Grants everything to whoever knows a password of the file."""

    _realm: str
    _file: WatchedFile[Entries]
    _disk: Disk
    _key: bytes = attrs.field(factory=lambda: secrets.token_bytes(32))
    _remembered: Lru[bytes, bytes] = attrs.field(factory=lambda: Lru(MAX_REMEMBERED))
    _flights: Flights[bytes, bool] = attrs.field(factory=Flights)
    _shares: Shares[bool] = attrs.field(
        factory=lambda: Shares(CHECKS_AT_ONCE, MAX_WAITING)
    )
    # Compared with where there is no such user, so that it takes as long.
    _nobody: bytes = attrs.field(factory=lambda: bcrypt.hashpw(b"", bcrypt.gensalt()))
    _log = Logger()

    @deferred
    async def authorize(self, facts: RequestFacts, wanted: Sequence[Access]) -> Grant:
        """Fire with a grant to the user."""
        found = parse_basic(facts.authorization)
        if found is None or not await self._check(facts.peer, *found):
            raise unauthorized(wanted, basic(self._realm))
        return Grant(found[0])

    @deferred
    async def _check(self, peer: str, user: str, password: bytes) -> bool:
        try:
            entries = self._file.read()
        except OSError as error:
            reason = error.strerror
            self._log.error("{path}: {reason}", path=self._file.path, reason=reason)
            raise Unavailable({"reason": "the password file cannot be read"}) from error
        hashed = entries.hashes.get(user, b"")
        # The hash of the moment is part of it: a changed one is checked anew.
        said = b"\0".join((user.encode("utf-8"), hashed, password))
        proof = hmac.digest(self._key, said, "sha256")
        if self._remembered.get(proof) == hashed and hashed:
            return True
        usable = hashed or entries.costliest or self._nobody
        matches = await self._flights.join(
            proof,
            lambda: self._shares.run(
                peer, user, lambda: self._disk.run(_matches, usable, password)
            ),
        )
        if usable is not hashed or not matches:
            return False
        self._remembered.put(proof, hashed)
        return True


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
