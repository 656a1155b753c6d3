"""Bearer tokens (distribution token specification; OAuth2, RFC 6749).

One cache per upstream and scope; one request per token however many ask; a token is
renewed a while before it expires.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from urllib.parse import urlencode

import attrs
from treq.client import HTTPClient
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from txregistry.flow.bytes_body import SmallBody
from txregistry.flow.deferred import Flights, deferred
from txregistry.flow.discard import discard
from txregistry.flow.sized import SizedCache, size_of
from txregistry.remote.answers import error_of
from txregistry.remote.body import collect, retry_after
from txregistry.remote.credentials import Credentials, ICredentialStore
from txregistry.remote.origin import Origin
from txregistry.remote.treqs import ready_url
from txregistry.spec.errors import Unauthorized, UpstreamFailed
from txregistry.spec.weburl import basic_authorization

CLIENT_ID = "txregistry"

#: What a token lives at least, and if the service does not say (seconds).
MIN_LIFETIME = 60.0

#: A token is renewed when this part of its life is left.
RENEW_FRACTION = 0.1

_MAX_TOKEN_BYTES = 256 * 1024

#: What all tokens of one upstream may take in memory.
_MAX_BYTES = 8 * 1024 * 1024

#: What JSON that is nested without end, or a number without end, comes to.
_NOT_READ = (RecursionError, OverflowError)


@attrs.frozen
class TokenKey:
    """What a token is for."""

    realm: str
    service: str
    scope: str


@attrs.frozen
class BearerToken:
    """A token and when to stop using it, by the clock that counts time limits."""

    text: str = attrs.field(repr=False)
    renew_at: float


@attrs.define(eq=False)
class Tokens:
    """All tokens of one upstream."""

    _client: HTTPClient
    _clock: IReactorTime
    _credentials: ICredentialStore
    _idle_seconds: float
    _known: SizedCache[TokenKey, BearerToken] = attrs.field(
        factory=lambda: SizedCache(_MAX_BYTES)
    )
    _flights: Flights[TokenKey, BearerToken] = attrs.field(factory=Flights)

    @deferred
    async def get(self, key: TokenKey, refused: Collection[str] = ()) -> str:
        """Fire with a token.

        :param refused: tokens that the upstream did not accept; they are not given
            again unless the service does. Fails with ``Unauthorized``, ``Denied`` or
            ``UpstreamFailed``.
        """
        known = self._known.get(key)
        usable = known is not None and known.text not in refused
        if known is not None and usable and self._clock.seconds() < known.renew_at:
            return known.text
        token = await self._flights.join(key, lambda: self._fetch(key))
        return token.text

    def forget(self) -> None:
        """Forget all tokens: they were got for credentials that were refused."""
        self._known.clear()

    @deferred
    async def _fetch(self, key: TokenKey) -> BearerToken:
        asked_at = self._clock.seconds()
        self._known.pop(key)  # it has ended, or was refused
        host = Origin.of(key.realm).authority
        who = await self._credentials.credentials(host)
        response = await self._ask(key, who)
        if response.code != 200:
            raise self._refused(response, host)
        body = await collect(
            response, _MAX_TOKEN_BYTES, self._clock, self._idle_seconds, host
        )
        token = _parse(body, asked_at, host)
        self._known.put(key, token, size_of(token.text, *attrs.astuple(key)))
        return token

    @deferred
    async def _ask(self, key: TokenKey, who: Credentials | None) -> IResponse:
        if who is not None and who.identity_token:
            return await self._post(key, _refresh_form(who))
        response = await self._get(key, who)
        if response.code in (404, 405) and who is not None and who.username:
            # A service that knows only the OAuth2 form.
            discard(response, self._clock)
            return await self._post(key, _password_form(who))
        return response

    @deferred
    async def _get(self, key: TokenKey, who: Credentials | None) -> IResponse:
        query = [("service", key.service)] if key.service else []
        query += [("scope", scope) for scope in key.scope.split(" ") if scope]
        query.append(("client_id", CLIENT_ID))
        headers = Headers()
        if who is not None and who.username:
            query.append(("account", who.username))
            headers.setRawHeaders("Authorization", [basic(who)])
        joint = "&" if "?" in key.realm else "?"
        return await self._client.get(
            ready_url(f"{key.realm}{joint}{urlencode(query)}"),
            headers=headers,
            allow_redirects=False,
            unbuffered=True,
        )

    @deferred
    async def _post(self, key: TokenKey, form: dict[str, str]) -> IResponse:
        fields = {"service": key.service, "scope": key.scope, "client_id": CLIENT_ID}
        return await self._client.post(
            ready_url(key.realm),
            data=SmallBody(urlencode({**fields, **form}).encode("ascii")),
            headers=Headers({"Content-Type": ["application/x-www-form-urlencoded"]}),
            allow_redirects=False,
            unbuffered=True,
        )

    def _refused(self, response: IResponse, host: str) -> Exception:
        wait = retry_after(response, self._clock.seconds())
        discard(response, self._clock)
        if response.code in (404, 410):
            return UpstreamFailed({"upstream": host, "reason": "no token service"})
        if response.code == 400:
            return Unauthorized({"upstream": host, "status": 400})
        return error_of(response.code, host, wait)


def basic(who: Credentials) -> str:
    """Give the ``Authorization`` value of the Basic scheme (RFC 7617)."""
    return basic_authorization(who.username, who.password)


def _refresh_form(who: Credentials) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": who.identity_token}


def _password_form(who: Credentials) -> dict[str, str]:
    return {
        "grant_type": "password",
        "username": who.username,
        "password": who.password,
        "access_type": "online",
    }


def _parse(body: bytes, asked_at: float, host: str) -> BearerToken:
    try:
        fields = json.loads(body)
        text = fields.get("token") or fields["access_token"]
        lifetime = float(fields.get("expires_in") or MIN_LIFETIME)
        if not isinstance(text, str) or not text.isascii() or "\n" in text:
            raise ValueError("no token")
    except (ValueError, TypeError, LookupError, AttributeError, *_NOT_READ) as error:
        facts = {"upstream": host, "reason": "token service gave no token"}
        raise UpstreamFailed(facts) from error
    # Our own clock counts from before we asked: no agreement on time is needed.
    life = max(MIN_LIFETIME, lifetime) * (1 - RENEW_FRACTION)
    return BearerToken(text, asked_at + life)
