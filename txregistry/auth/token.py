"""``auth.token``: JSON web tokens (distribution's token specification)."""

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
from txregistry.auth.key_files import keys_of_set, watch_bundle
from txregistry.auth.keys import KeySource, TrustedKeys
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.flow.sized import SizedCache, size_of
from txregistry.flow.watched import WatchedFile
from txregistry.interfaces.access import (
    Access,
    Grant,
    IAccessController,
    IPeerless,
    RequestFacts,
)
from txregistry.spec.errors import Unavailable
from txregistry.spec.signing import ALGORITHMS

#: Tolerated difference between our clock and the token server's, in seconds.
LEEWAY_SECONDS = 60.0

#: Timestamps beyond this are refused, in seconds: tens of thousands of years.
_END_OF_TIME = 1e12

#: Memory for verified tokens, whose signatures need not be checked again, in bytes.
MAX_BYTES = 8 * 1024 * 1024

#: Memory of one granted access without its strings, roughly, in bytes.
_ACCESS_BYTES = 200

#: Longest accepted token, in characters.
MAX_TOKEN = 64 * 1024


@attrs.frozen
class Claims:
    """The claims of a verified token.

    :ivar not_before: seconds since the epoch, as is :attr:`expires_at`.
    """

    subject: str
    access: frozenset[Access]
    not_before: float
    expires_at: float

    def check_time(self, now: float) -> None:
        """Check that the token is valid now, give or take :data:`LEEWAY_SECONDS`.

        :param now: seconds since the epoch.
        :raise ValueError: it has expired, or is not valid yet.
        """
        if now > self.expires_at + LEEWAY_SECONDS:
            raise ValueError("the token has expired")
        if now < self.not_before - LEEWAY_SECONDS:
            raise ValueError("the token is not valid yet")

    @property
    def memory_bytes(self) -> int:
        """The bytes that the claims take in memory, roughly."""
        texts = (size_of(*attrs.astuple(item)) for item in self.access)
        return sum(texts, size_of(self.subject) + _ACCESS_BYTES * len(self.access))


@attrs.frozen
class TokenSettings:
    """The parameters of ``auth.token``.

    :ivar realm: the URL of the token server.
    :ivar service: the audience that a token must have.
    :ivar algorithms: accepted signature algorithms.
    :ivar autoredirect: the token server is reached at the client's own host, under
        :attr:`autoredirect_path`, instead of at :attr:`realm`.
    """

    realm: str
    service: str
    issuer: str
    algorithms: tuple[str, ...] = ALGORITHMS
    autoredirect: bool = False
    autoredirect_path: str = "/auth/token"

    def realm_for(self, facts: RequestFacts) -> str:
        """Return the URL at which a client gets a token."""
        if not self.autoredirect:
            return self.realm
        scheme = facts.forwarded_scheme or "https"
        return f"{scheme}://{facts.host}/{self.autoredirect_path.lstrip('/')}"


@implementer(IAccessController, IPeerless)
@attrs.define(eq=False)
class TokenAccess:
    """Grants the access that a valid token lists."""

    _settings: TokenSettings
    _keys: Callable[[], TrustedKeys]
    _clock: IReactorTime
    _verified: SizedCache[bytes, Claims] = attrs.field(
        factory=lambda: SizedCache(MAX_BYTES)
    )
    _last_keys: TrustedKeys | None = None
    _log = Logger()

    @deferred
    async def authorize(self, facts: RequestFacts, wanted: Sequence[Access]) -> Grant:
        """Verify the token.

        :return: fires with a grant of all access in the token. Fails with
            ``Unauthorized`` if the token is missing, invalid or insufficient, and
            ``Unavailable`` if the trusted keys cannot be read.
        """
        scheme, _, token = facts.authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise self._refusal(facts, wanted, "")
        try:
            claims = self._claims(token.strip())
        except ValueError as error:
            self._log.debug(
                "refused a token from {peer}: {reason}",
                peer=facts.peer,
                reason=str(error),
            )
            raise self._refusal(facts, wanted, "invalid_token") from None
        if not all(_includes(claims.access, access) for access in wanted):
            raise self._refusal(facts, wanted, "insufficient_scope")
        return Grant(claims.subject, False, claims.access)

    def _refusal(
        self, facts: RequestFacts, wanted: Sequence[Access], error: str
    ) -> Exception:
        realm = self._settings.realm_for(facts)
        challenge = bearer(realm, self._settings.service, wanted, error)
        return unauthorized(wanted, challenge)

    def _claims(self, token: str) -> Claims:
        """Return the claims of a token.

        :raise ValueError: it is invalid, expired or not valid yet.
        """
        now = self._clock.seconds()
        keys = self._current_keys()
        token_hash = hashlib.sha256(token.encode("utf-8")).digest()
        claims = self._verified.get(token_hash)
        if claims is None:
            claims = self._verify(token, keys, now)
            self._verified.put(token_hash, claims, claims.memory_bytes)
        claims.check_time(now)
        return claims

    def _current_keys(self) -> TrustedKeys:
        """Return the current keys; when they change, forget all verified tokens."""
        try:
            keys = self._keys()
        except OSError as error:
            self._log.error(
                "cannot read the trusted keys of auth.token: {error}; requests with"
                " tokens are answered with 503 until they can be read",
                error=str(error),
            )
            raise Unavailable({"reason": "the trusted keys cannot be read"}) from error
        if keys is not self._last_keys:
            self._verified.clear()
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
            key = keys.key_for(header.headers(), now)
            decoded = jwt.decode(token, key, registry=registry)
        except (JoseError, TypeError, KeyError, RecursionError) as error:
            reason = f"the token or its signature is invalid: {error}"
            raise ValueError(reason) from error
        return self._parse_claims(decoded.claims)

    def _parse_claims(self, claims: Any) -> Claims:
        if not isinstance(claims, Mapping):
            raise ValueError("the claims of the token are no object")
        if claims.get("iss") != self._settings.issuer:
            raise ValueError("the token is from another issuer")
        audience = claims.get("aud")
        listed = [audience] if isinstance(audience, str) else audience
        if not isinstance(listed, list) or self._settings.service not in listed:
            raise ValueError("the token is for another service")
        return Claims(
            str(claims.get("sub") or ""),
            frozenset(_parse_access(claims.get("access"))),
            _parse_time(claims.get("nbf", 0)),
            _parse_time(claims.get("exp")),
        )


def _parse_time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a time of the token is missing or no number")
    if not abs(value) < _END_OF_TIME:
        raise ValueError("a time of the token is out of range")
    return float(value)


def _parse_access(value: Any) -> list[Access]:
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


def _includes(granted: frozenset[Access], wanted: Access) -> bool:
    return wanted in granted or attrs.evolve(wanted, action="*") in granted


def token(
    parameters: Mapping[str, Any], disk: Disk, clock: IReactorTime
) -> IAccessController:
    """Create the controller of a token server; its parameters were checked before."""
    settings = TokenSettings(
        str(parameters["realm"]),
        str(parameters["service"]),
        str(parameters["issuer"]),
        tuple(parameters.get("signingalgorithms") or ALGORITHMS),
        bool(parameters.get("autoredirect")),
        str(parameters.get("autoredirectpath") or "/auth/token"),
    )
    return TokenAccess(settings, _key_source(parameters), clock)


def _key_source(parameters: Mapping[str, Any]) -> Callable[[], TrustedKeys]:
    """Return a function that returns the current keys.

    :raise OSError: a file cannot be read.
    :raise ValueError: a file is invalid.
    """
    files = []
    if parameters.get("rootcertbundle"):
        files.append(watch_bundle(str(parameters["rootcertbundle"])))
    if parameters.get("jwks"):
        files.append(WatchedFile(str(parameters["jwks"]), keys_of_set))
    source = KeySource(files)
    source.read()
    return source.read
