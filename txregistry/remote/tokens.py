"""Bearer tokens (distribution token specification; OAuth2, RFC 6749).

Tokens are cached by token service, service and scope. Concurrent requests for a token
share one request to the token service. A token is renewed before it expires.
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
from txregistry.flow.deferred import deferred
from txregistry.flow.discard import discard
from txregistry.flow.flights import Flights
from txregistry.flow.sized import SizedCache, size_of
from txregistry.remote.answers import error_of
from txregistry.remote.body import collect, retry_after
from txregistry.remote.credentials import Credentials, ICredentialStore
from txregistry.remote.http_client import encoded_url
from txregistry.remote.origin import Origin
from txregistry.spec.errors import Unauthorized, UpstreamFailed
from txregistry.spec.weburl import basic_authorization

CLIENT_ID = "txregistry"

#: Minimum lifetime of a token in seconds, and the default, as the specification says.
MIN_LIFETIME = 60.0

#: A token is renewed when this fraction of its lifetime is left.
RENEW_FRACTION = 0.1

_MAX_TOKEN_BYTES = 256 * 1024

#: Bytes of memory for all cached tokens of one upstream.
_MAX_BYTES = 8 * 1024 * 1024

#: Raised for deeply nested JSON, and for a number that is too large.
_UNREADABLE = (RecursionError, OverflowError)


@attrs.frozen
class TokenKey:
    """The parameters of a request for a token.

    :ivar realm: the URL of the token service.
    :ivar scope: scopes, separated by spaces.
    """

    realm: str
    service: str
    scope: str


@attrs.frozen
class BearerToken:
    """A token, and when to renew it, in seconds of the reactor's clock."""

    text: str = attrs.field(repr=False)
    renew_at: float


@attrs.define(eq=False)
class Tokens:
    """The tokens of one upstream.

    :param idle_seconds: time limit between two pieces of a response.
    """

    _client: HTTPClient
    _clock: IReactorTime
    _credentials: ICredentialStore
    _idle_seconds: float
    _cache: SizedCache[TokenKey, BearerToken] = attrs.field(
        factory=lambda: SizedCache(_MAX_BYTES)
    )
    _flights: Flights[TokenKey, BearerToken] = attrs.field(factory=Flights)

    @deferred
    async def get(self, key: TokenKey, refused: Collection[str] = ()) -> str:
        """Fire with a token, cached or new.

        :param refused: tokens that the registry has refused; they are not taken from
            the cache.
        :return: fails with ``Unauthorized``, ``Denied``, ``TooManyRequests`` or
            ``UpstreamFailed``.
        """
        cached = self._cache.get(key)
        usable = cached is not None and cached.text not in refused
        if cached is not None and usable and self._clock.seconds() < cached.renew_at:
            return cached.text
        token = await self._flights.join(key, lambda: self._fetch(key))
        return token.text

    def forget(self) -> None:
        """Forget all tokens, as they were obtained with refused credentials."""
        self._cache.clear()

    @deferred
    async def _fetch(self, key: TokenKey) -> BearerToken:
        asked_at = self._clock.seconds()
        self._cache.pop(key)  # expired or refused
        host = Origin.of(key.realm).authority
        credentials = await self._credentials.credentials(host)
        response = await self._request(key, credentials)
        if response.code != 200:
            raise self._error_of(response, host)
        body = await collect(
            response, _MAX_TOKEN_BYTES, self._clock, self._idle_seconds, host
        )
        token = _parse(body, asked_at, host)
        self._cache.put(key, token, size_of(token.text, *attrs.astuple(key)))
        return token

    @deferred
    async def _request(
        self, key: TokenKey, credentials: Credentials | None
    ) -> IResponse:
        if credentials is not None and credentials.identity_token:
            return await self._post(key, _refresh_form(credentials))
        response = await self._get(key, credentials)
        if (
            response.code in (404, 405)
            and credentials is not None
            and credentials.username
        ):
            # Some services support only the OAuth2 form by POST.
            discard(response, self._clock)
            return await self._post(key, _password_form(credentials))
        return response

    @deferred
    async def _get(self, key: TokenKey, credentials: Credentials | None) -> IResponse:
        query = [("service", key.service)] if key.service else []
        query += [("scope", scope) for scope in key.scope.split(" ") if scope]
        query.append(("client_id", CLIENT_ID))
        headers = Headers()
        if credentials is not None and credentials.username:
            query.append(("account", credentials.username))
            headers.setRawHeaders("Authorization", [basic(credentials)])
        separator = "&" if "?" in key.realm else "?"
        return await self._client.get(
            encoded_url(f"{key.realm}{separator}{urlencode(query)}"),
            headers=headers,
            allow_redirects=False,
            unbuffered=True,
        )

    @deferred
    async def _post(self, key: TokenKey, form: dict[str, str]) -> IResponse:
        fields = {"service": key.service, "scope": key.scope, "client_id": CLIENT_ID}
        return await self._client.post(
            encoded_url(key.realm),
            data=SmallBody(urlencode({**fields, **form}).encode("ascii")),
            headers=Headers({"Content-Type": ["application/x-www-form-urlencoded"]}),
            allow_redirects=False,
            unbuffered=True,
        )

    def _error_of(self, response: IResponse, host: str) -> Exception:
        wait = retry_after(response, self._clock.seconds())
        discard(response, self._clock)
        if response.code in (404, 410):
            return UpstreamFailed(
                {"upstream": host, "reason": "token service not found"}
            )
        if response.code == 400:
            return Unauthorized({"upstream": host, "status": 400})
        return error_of(response.code, host, wait)


def basic(credentials: Credentials) -> str:
    """Return the ``Authorization`` of the Basic scheme (RFC 7617)."""
    return basic_authorization(credentials.username, credentials.password)


def _refresh_form(credentials: Credentials) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": credentials.identity_token}


def _password_form(credentials: Credentials) -> dict[str, str]:
    return {
        "grant_type": "password",
        "username": credentials.username,
        "password": credentials.password,
        "access_type": "online",
    }


def _parse(body: bytes, asked_at: float, host: str) -> BearerToken:
    try:
        fields = json.loads(body)
        text = fields.get("token") or fields["access_token"]
        lifetime = float(fields.get("expires_in") or MIN_LIFETIME)
        if not isinstance(text, str) or not text.isascii() or "\n" in text:
            raise ValueError("no token")
    except (ValueError, TypeError, LookupError, AttributeError, *_UNREADABLE) as error:
        detail = {"upstream": host, "reason": "token service sent no valid token"}
        raise UpstreamFailed(detail) from error
    # Counted from before the request by our clock, so clocks need not agree.
    life = max(MIN_LIFETIME, lifetime) * (1 - RENEW_FRACTION)
    return BearerToken(text, asked_at + life)
