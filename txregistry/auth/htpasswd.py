"""``auth.htpasswd``: user names and bcrypt hashes in an Apache password file.

A check takes tens of milliseconds by design. It runs on a thread, once for all
concurrent requests with the same credentials. Successes are cached as keyed hashes, in
memory only, until the user's hash changes. Checks are divided fairly among peers and
users (:mod:`txregistry.auth.shares`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import bcrypt
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.auth.challenges import basic, unauthorized
from txregistry.auth.passwords import Entries, create_file, watch_entries
from txregistry.auth.shares import Shares
from txregistry.flow.context import in_context
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.flow.flights import Flights
from txregistry.flow.lru import Lru
from txregistry.flow.watched import WatchedFile
from txregistry.interfaces.access import (
    Access,
    Grant,
    IAccessController,
    IPeerless,
    RequestFacts,
)
from txregistry.spec.errors import Unavailable

#: Password checks that may wait; more are refused with 429.
MAX_WAITING = 256

#: Concurrent password checks, few enough to leave processors for other work.
CHECKS_AT_ONCE = 2

#: Cached successes.
MAX_REMEMBERED = 10_000

#: bcrypt ignores the rest of a password; newer versions of the library raise for it.
_MAX_PASSWORD_BYTES = 72

_log = Logger(namespace="txregistry.auth")


@implementer(IAccessController, IPeerless)
@attrs.define(eq=False)
class HtpasswdAccess:
    """Grants everything to users whose password is correct."""

    _realm: str
    _file: WatchedFile[Entries]
    _disk: Disk
    _key: bytes = attrs.field(factory=lambda: secrets.token_bytes(32))
    _verified: Lru[bytes, bytes] = attrs.field(factory=lambda: Lru(MAX_REMEMBERED))
    _flights: Flights[bytes, bool] = attrs.field(factory=Flights)
    _shares: Shares[bool] = attrs.field(
        factory=lambda: Shares(CHECKS_AT_ONCE, MAX_WAITING)
    )
    # Checked for unknown users if the file has no hash, so that it takes as long.
    _dummy_hash: bytes = attrs.field(
        factory=lambda: bcrypt.hashpw(b"", bcrypt.gensalt())
    )
    _log = Logger()

    @deferred
    async def authorize(self, facts: RequestFacts, wanted: Sequence[Access]) -> Grant:
        """Check the user's password.

        :return: fires with a grant of everything. Fails with ``Unauthorized`` for wrong
            or missing credentials, ``TooManyRequests`` if too many checks wait, and
            ``Unavailable`` if the file cannot be read.
        """
        credentials = parse_basic(facts.authorization)
        if credentials is None or not await self._check(facts.peer, *credentials):
            raise unauthorized(wanted, basic(self._realm))
        return Grant(credentials[0])

    @deferred
    async def _check(self, peer: str, user: str, password: bytes) -> bool:
        entries = self._entries()
        hashed = entries.hashes.get(user, b"")
        # It includes the stored hash, so that a changed password is checked again.
        message = b"\0".join((user.encode("utf-8"), hashed, password))
        credentials_hash = hmac.digest(self._key, message, "sha256")
        if self._verified.get(credentials_hash) == hashed and hashed:
            return True
        checked = hashed or entries.costliest or self._dummy_hash
        matches = await self._flights.join(
            credentials_hash,
            lambda: self._shares.run(
                peer,
                user,
                in_context(lambda: self._disk.run(_matches, checked, password)),
            ),
        )
        if checked is not hashed or not matches:
            return False
        self._verified.put(credentials_hash, hashed)
        return True

    def _entries(self) -> Entries:
        """Return the current users.

        :raise Unavailable: the file cannot be read.
        """
        try:
            return self._file.read()
        except OSError as error:
            self._log.error(
                "cannot read the password file {path}: {reason}; logins are answered"
                " with 503 until it can be read",
                path=self._file.path,
                reason=error.strerror,
            )
            raise Unavailable({"reason": "the password file cannot be read"}) from error


def _matches(hashed: bytes, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:_MAX_PASSWORD_BYTES], hashed)
    except ValueError:
        return False  # the salt of the stored hash is malformed


def parse_basic(header: str) -> tuple[str, bytes] | None:
    """Parse the user name and password of a ``Basic`` header (RFC 7617).

    :return: ``None`` for another scheme, or a malformed header.
    """
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


def htpasswd(
    parameters: Mapping[str, Any], disk: Disk, clock: IReactorTime
) -> IAccessController:
    """Create the controller of a password file; a missing file is created."""
    path = str(parameters["path"])
    password = create_file(path)
    if password is not None:
        # Logged once, as distribution does: the password is stored nowhere else.
        _log.warn(
            "password file {path} did not exist: created it for user docker with"
            " password {password}",
            path=path,
            password=password,
        )
    file = watch_entries(path)
    file.read()
    return HtpasswdAccess(str(parameters["realm"]), file, disk)
