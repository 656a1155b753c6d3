"""Authentication to a registry: answer its challenges and send the request again.

Note [Challenges may change]. The challenges of a registry are cached for each
repository, so that later requests carry their authorization from the start. When a
cached challenge fails, at the token service or at the registry, the request is sent
without authorization to get current challenges. If the registry refuses these
credentials too, the credential helper is run again. Each happens once per request, then
the client gets the refusal.
"""

from __future__ import annotations

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
from txregistry.flow.sized import SizedCache, size_of
from txregistry.remote.addresses import is_api, is_signed, path_of, scope_of
from txregistry.remote.attempts import REFUSED, Attempt, AuthTarget
from txregistry.remote.challenges import challenges_of, memory_bytes
from txregistry.remote.login import Login
from txregistry.remote.origin import Origin
from txregistry.remote.responses import drain
from txregistry.spec.challenge import Challenge
from txregistry.spec.errors import UpstreamFailed

#: Bytes of memory for the cached challenges of all repositories.
MAX_BYTES = 8 * 1024 * 1024


@implementer(IAgent)
@attrs.define(eq=False)
class AuthAgent:
    """Authenticate to the upstream, and to registries that it redirects to.

    Our credentials are for the upstream and its token service only. At another
    registry, an anonymous token is used. A signed URL gets no ``Authorization``:
    object stores refuse requests with two kinds of authentication.

    :param upstream: the base URL of the upstream.
    :param login: for the upstream.
    :param anonymous: for other registries.
    """

    _agent: IAgent
    _clock: IReactorTime
    _upstream: str
    _login: Login
    _anonymous: Login
    _challenges: SizedCache[tuple[Origin, str], Sequence[Challenge]] = attrs.field(
        factory=lambda: SizedCache(MAX_BYTES)
    )
    _log = Logger()

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Send a request; when it is refused, answer the challenge and send it again.

        :return: fires with the response, which is the refusal if no authorization
            helps. Fails with the error that prevented an authorization, such as that
            of the token service.
        """

        def ask(authorization: str | None) -> Deferred[IResponse]:
            return self._send(method, uri, headers, bodyProducer, authorization)

        url = uri.decode("ascii")
        if is_signed(url):
            return await ask(None)
        target = self._target(url)
        attempt = Attempt(target, ask, self._clock)
        authorization = await self._from_cache(attempt)
        response = await ask(authorization)
        if (
            authorization is not None
            and response.code in (400, 401)
            and not is_api(url)
        ):
            discard(response, self._clock)
            authorization, response = None, await ask(None)
        if response.code not in REFUSED:
            if authorization is None:
                self._challenges.pop(target.key)
            return response
        if target.login is self._anonymous and not is_api(url):
            return response  # an object store; it has no token service
        return await self._answer_challenges(attempt, response, authorization)

    @deferred
    async def preload(self) -> bool:
        """Request ``/v2/`` to cache its challenge and a first token.

        :return: fires with whether the upstream requires authentication. Fails with
            ``UpstreamFailed`` if it refuses ours.
        """
        url = self._upstream + "/v2/"
        response = await self.request(b"GET", url.encode("ascii"))
        discard(response, self._clock)
        if response.code == 401:
            raise UpstreamFailed({"upstream": self._host, "status": 401})
        return self._challenges.get(self._target(url).key) is not None

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

    def _target(self, url: str) -> AuthTarget:
        origin = Origin.of(url)
        if origin == Origin.of(self._upstream):
            scope = _scope(path_of(url, self._upstream))
            return AuthTarget(url, origin, scope, self._login)
        return AuthTarget(url, origin, _scope(path_of(url, "")), self._anonymous)

    @deferred
    async def _from_cache(self, attempt: Attempt) -> str | None:
        """Fire with the authorization for a cached challenge, or ``None``."""
        for challenge in self._challenges.get(attempt.target.key) or ():
            authorization = await attempt.authorization_for(challenge)
            if authorization is not None:
                return authorization
        return None

    @deferred
    async def _answer_challenges(
        self, attempt: Attempt, response: IResponse, authorization: str | None
    ) -> IResponse:
        """Answer the current challenges of a refused request.

        See Note [Challenges may change].
        """
        target, offered = attempt.target, challenges_of(response)
        attempt.response = drain(response, self._clock)
        if authorization is not None:
            attempt.tried.add(authorization)
            if not offered or response.code == 403:
                plain = await attempt.ask(None)
                if plain.code not in REFUSED:
                    self._challenges.pop(target.key)
                    return plain
                offered = challenges_of(plain) or offered
                discard(plain, self._clock)
        if not offered:
            return attempt.result()
        usable = self._usable(offered, target)
        self._remember(target, usable)
        met = await attempt.try_each(usable)
        if met is None and attempt.renew_credentials():
            met = await attempt.try_each(usable)
        return attempt.result() if met is None else met

    def _usable(
        self, offered: Sequence[Challenge], target: AuthTarget
    ) -> Sequence[Challenge]:
        """Return the challenges without those of untrusted token services.

        :raise UpstreamFailed: none is left.
        """
        usable = [item for item in offered if target.login.trusts(item, target.origin)]
        if usable:
            return usable
        self._log.warn(
            "upstream {upstream} names token service {realm}, which is not trusted; "
            "the request fails; to permit it, list it under proxy.trustedrealms",
            upstream=target.origin.authority,
            realm=offered[0].parameters.get("realm", "")[:200],
        )
        detail = {
            "upstream": target.origin.authority,
            "reason": "token service is not trusted",
        }
        raise UpstreamFailed(detail)

    def _remember(self, target: AuthTarget, challenges: Sequence[Challenge]) -> None:
        size = memory_bytes(challenges) + size_of(target.url)
        self._challenges.put(target.key, challenges, size)

    @property
    def _host(self) -> str:
        return Origin.of(self._upstream).authority


def _scope(path: str) -> str | None:
    """Return :attr:`AuthTarget.scope` for a path."""
    return scope_of(path) or ("" if path == "/v2/" else None)
