"""``auth.token``: JSON web tokens of a token server (distribution's token spec)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from joserfc import jws, jwt
from joserfc.errors import JoseError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.auth.challenges import bearer, unauthorized
from txregistry.auth.keys import TrustedKeys
from txregistry.flow.deferred import deferred
from txregistry.flow.sized import SizedCache, size_of
from txregistry.interfaces.access import Access, Grant, IAccessController, RequestFacts
from txregistry.spec.errors import Unavailable
from txregistry.spec.signing import ALGORITHMS

#: How far the clocks of two machines may be apart, in seconds.
LEEWAY_SECONDS = 60.0

#: No time of a token is as far away, in seconds: tens of thousands of years.
_END_OF_TIME = 1e12

#: What tokens take in memory whose signature was checked and need not be again.
MAX_BYTES = 8 * 1024 * 1024

#: What one thing that a token grants takes there, beside its texts.
_ACCESS_BYTES = 200

#: Longest token that is looked at, in characters.
MAX_TOKEN = 64 * 1024


@attrs.frozen
class Claims:
    """What a token says that was found to be genuine.

    :ivar not_before: seconds since the epoch, as is :attr:`expires_at`.
    """

    subject: str
    access: frozenset[Access]
    not_before: float
    expires_at: float

    def check_time(self, now: float) -> None:
        """Pass if it holds now.

        :raise ValueError: it does not.
        """
        if now > self.expires_at + LEEWAY_SECONDS:
            raise ValueError("the token has expired")
        if now < self.not_before - LEEWAY_SECONDS:
            raise ValueError("the token does not hold yet")

    @property
    def memory_bytes(self) -> int:
        """Count the bytes that it takes in memory, about."""
        texts = (size_of(*attrs.astuple(item)) for item in self.access)
        return sum(texts, size_of(self.subject) + _ACCESS_BYTES * len(self.access))


@attrs.frozen
class TokenSettings:
    """What is asked of a token."""

    realm: str
    service: str
    issuer: str
    algorithms: tuple[str, ...] = ALGORITHMS
    autoredirect: bool = False
    autoredirect_path: str = "/auth/token"

    def realm_for(self, facts: RequestFacts) -> str:
        """Give where a client is sent for a token."""
        if not self.autoredirect:
            return self.realm
        scheme = facts.forwarded_scheme or "https"
        return f"{scheme}://{facts.host}/{self.autoredirect_path.lstrip('/')}"


@implementer(IAccessController)
@attrs.define(eq=False)
class TokenAccess:
    """Grants what a token that the server signed says."""

    _settings: TokenSettings
    _keys: Callable[[], TrustedKeys]
    _clock: IReactorTime
    _remembered: SizedCache[bytes, Claims] = attrs.field(
        factory=lambda: SizedCache(MAX_BYTES)
    )
    _last_keys: TrustedKeys | None = None
    _log = Logger()

    @deferred
    async def authorize(self, facts: RequestFacts, wanted: Sequence[Access]) -> Grant:
        """Fire with a grant of what the token allows."""
        scheme, _, token = facts.authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise self._refusal(facts, wanted, "")
        try:
            claims = self._claims(token.strip())
        except ValueError:
            raise self._refusal(facts, wanted, "invalid_token") from None
        if not all(_covers(claims.access, access) for access in wanted):
            raise self._refusal(facts, wanted, "insufficient_scope")
        return Grant(claims.subject, False, claims.access)

    def _refusal(
        self, facts: RequestFacts, wanted: Sequence[Access], error: str
    ) -> Exception:
        realm = self._settings.realm_for(facts)
        challenge = bearer(realm, self._settings.service, wanted, error)
        return unauthorized(wanted, challenge)

    def _claims(self, token: str) -> Claims:
        """Give what a token says.

        :raise ValueError: it is not genuine, or does not hold now.
        """
        now = self._clock.seconds()
        keys = self._trusted()
        proof = hashlib.sha256(token.encode("utf-8")).digest()
        claims = self._remembered.find(proof)
        if claims is None:
            claims = self._verify(token, keys, now)
            self._remembered.keep(proof, claims, claims.memory_bytes)
        claims.check_time(now)
        return claims

    def _trusted(self) -> TrustedKeys:
        """Give the keys of the moment; with others, all tokens are verified anew."""
        try:
            keys = self._keys()
        except OSError as error:
            self._log.error("keys cannot be read: {error}", error=str(error))
            raise Unavailable({"reason": "the trusted keys cannot be read"}) from error
        if keys is not self._last_keys:
            self._remembered.clear()
            self._last_keys = keys
        return keys

    def _verify(self, token: str, keys: TrustedKeys, now: float) -> Claims:
        if len(token) > MAX_TOKEN:
            raise ValueError("the token is too long")
        algorithms = list(self._settings.algorithms)
        registry = jws.JWSRegistry(algorithms=algorithms, strict_check_header=False)
        registry.max_payload_length = MAX_TOKEN
        registry.max_header_length = MAX_TOKEN
        try:
            header = jws.extract_compact(token.encode("utf-8"), registry=registry)
            key = keys.of_header(header.headers(), now)
            decoded = jwt.decode(token, key, registry=registry)
        except (JoseError, TypeError, KeyError, RecursionError) as error:
            raise ValueError("the token is not genuine") from error
        return self._read(decoded.claims)

    def _read(self, claims: Mapping[str, Any]) -> Claims:
        if claims.get("iss") != self._settings.issuer:
            raise ValueError("the token is of another issuer")
        audience = claims.get("aud")
        listed = [audience] if isinstance(audience, str) else audience
        if not isinstance(listed, list) or self._settings.service not in listed:
            raise ValueError("the token is for another service")
        return Claims(
            str(claims.get("sub") or ""),
            frozenset(_access(claims.get("access"))),
            _seconds(claims.get("nbf", 0)),
            _seconds(claims.get("exp")),
        )


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a time of the token is missing")
    if not abs(value) < _END_OF_TIME:
        raise ValueError("a time of the token is none")
    return float(value)


def _access(value: Any) -> list[Access]:
    if value is None:
        return []
    try:
        return [
            Access(str(item["type"]), str(item["name"]), str(action))
            for item in value
            for action in item["actions"]
        ]
    except (KeyError, TypeError) as error:
        raise ValueError("the access of the token is malformed") from error


def _covers(granted: frozenset[Access], wanted: Access) -> bool:
    return wanted in granted or attrs.evolve(wanted, action="*") in granted
