"""Authentication to the upstream: learn what it wants, give it that, ask once more."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.discard import discard
from txregistry.remote.credentials import ICredentialStore
from txregistry.remote.origin import Origin, is_trusted_realm
from txregistry.remote.tokens import TokenKey, Tokens, basic
from txregistry.spec.challenge import Challenge, parse_challenges
from txregistry.spec.errors import UpstreamFailed

_REPOSITORY = re.compile(r"/v2/(.+)/(?:manifests|blobs|tags|referrers)/[^/]+/?$")


def scope_of(path: str) -> str:
    """Give the scope that reading a path takes; empty if it needs none.

    Built from the path, since some upstreams name another repository in their
    challenge.
    """
    if match := _REPOSITORY.match(path.partition("?")[0]):
        return f"repository:{match[1]}:pull"
    return "registry:catalog:*" if path.startswith("/v2/_catalog") else ""


@implementer(IAgent)
@attrs.define(eq=False)
class AuthAgent:
    """Authenticate to one upstream, and to nobody else.

    Requests to any other origin, where a redirect may lead, go out bare. What the
    upstream demands is remembered, so that only the first request is made twice.
    """

    _agent: IAgent
    _clock: IReactorTime
    _upstream: str
    _trusted_realms: Sequence[str]
    _credentials: ICredentialStore
    _tokens: Tokens
    _challenge: Challenge | None = None
    _log = Logger()

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Ask; on 401, learn and ask once more."""
        url = uri.decode("ascii")
        ours = Origin.of(url) == Origin.of(self._upstream)
        given = await self._authorization(url, None) if ours else None
        response = await self._send(method, uri, headers, bodyProducer, given)
        if not ours or response.code != 401:
            return response
        learnt = self._choose(response)
        if learnt is None:
            return response
        self._challenge = learnt
        try:
            renewed = await self._authorization(url, given)
        except BaseException:
            discard(response, self._clock)
            raise
        if renewed is None or renewed == given:
            return response
        discard(response, self._clock)
        return await self._send(method, uri, headers, bodyProducer, renewed)

    @deferred
    async def preload(self) -> bool:
        """Learn what the upstream demands and get a first token.

        :return: fires with whether credentials were used.
        """
        url = self._upstream + "/v2/"
        response = await self.request(b"GET", url.encode("ascii"))
        discard(response, self._clock)
        if response.code == 401:
            raise UpstreamFailed({"upstream": self._host, "status": 401})
        return self._challenge is not None

    def _send(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None,
        body: IBodyProducer | None,
        authorization: str | None,
    ) -> Deferred[IResponse]:
        own = Headers() if headers is None else headers.copy()
        own.removeHeader(b"Authorization")
        if authorization is not None:
            own.setRawHeaders(b"Authorization", [authorization.encode("utf-8")])
        return self._agent.request(method, uri, own, body)

    @deferred
    async def _authorization(self, url: str, refused: str | None) -> str | None:
        challenge = self._challenge
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            who = await self._credentials.credentials(self._host)
            return None if who is None or not who.username else basic(who)
        old = None if refused is None else refused.partition(" ")[2]
        token = await self._tokens.get(self._key(challenge, url), refused=old)
        return f"Bearer {token}"

    def _key(self, challenge: Challenge, url: str) -> TokenKey:
        path = url[len(self._upstream) :]
        scope = scope_of(path) or challenge.parameters.get("scope", "")
        if path == "/v2/":
            scope = ""
        return TokenKey(
            challenge.parameters["realm"],
            challenge.parameters.get("service", ""),
            scope,
        )

    def _choose(self, response: IResponse) -> Challenge | None:
        """Pick a challenge that can be met; a foreign realm is none.

        :raise UpstreamFailed: only untrusted token services are offered.
        """
        lines = response.headers.getRawHeaders("WWW-Authenticate", [])
        offered = parse_challenges(lines)
        foreign = None
        for challenge in offered:
            realm = challenge.parameters.get("realm", "")
            if challenge.scheme == "basic":
                return challenge
            if challenge.scheme == "bearer" and realm:
                if is_trusted_realm(self._upstream, realm, self._trusted_realms):
                    return challenge
                foreign = realm
        if foreign is None:
            return None
        discard(response, self._clock)
        self._log.warn(
            "{upstream} names a token service at {realm}, which is not trusted; "
            "if it is right, list it under proxy.trustedrealms",
            upstream=self._host,
            realm=foreign[:200],
        )
        facts = {"upstream": self._host, "reason": "token service is not trusted"}
        raise UpstreamFailed(facts)

    @property
    def _host(self) -> str:
        return Origin.of(self._upstream).authority
