"""Authentication to a registry: learn what it wants, give it that, ask once more.

Note [Nothing is believed for ever]. What a registry demanded is remembered, for each
repository by itself, so that its next question is not made twice. When that fails, at
the token service or at the registry, the registry is asked plainly and says anew what
it wants; and where that is what was refused, the credential helper is asked anew. Each
happens once, before the client is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.discard import discard
from txregistry.flow.sized import OVERHEAD_BYTES, SizedCache, size_of
from txregistry.remote.addresses import is_api, is_signed, path_of, scope_of
from txregistry.remote.body import header_lines
from txregistry.remote.login import Login
from txregistry.remote.origin import Origin
from txregistry.remote.spent import spend
from txregistry.spec.challenge import Challenge, parse_challenges
from txregistry.spec.errors import (
    Denied,
    RegistryError,
    Unauthorized,
    UpstreamFailed,
)

#: What it may take in memory to remember what repositories demand.
MAX_BYTES = 8 * 1024 * 1024

#: Challenges of one answer that are read: each may cost a question for a token.
MAX_CHALLENGES = 16

#: What counts of a challenge.
_USED = ("realm", "service", "scope")

_REFUSED = (401, 403)

Ask = Callable[[str | None], Deferred[IResponse]]


@attrs.frozen
class AuthTarget:
    """Where a question goes, and what may be shown there.

    :ivar origin: whose demands these are.
    :ivar scope: of the token, if the path tells.
    """

    url: str
    origin: Origin
    scope: str | None
    login: Login

    @property
    def key(self) -> tuple[Origin, str]:
        """Say for what a demand is remembered."""
        return self.origin, self.scope or ""


@attrs.define(eq=False)
class _Attempt:
    """What has become of one question so far.

    :ivar shown: authorizations that were refused.
    :ivar failed: challenges that could not be met, for which ``trouble`` is why.
    """

    response: IResponse | None = None
    shown: set[str] = attrs.field(factory=set)
    failed: list[Challenge] = attrs.field(factory=list)
    trouble: RegistryError | None = None

    def end(self) -> IResponse:
        """Give the refusal that the client is told, or raise why there is none."""
        if self.trouble is not None:
            raise self.trouble
        assert self.response is not None
        return self.response


@implementer(IAgent)
@attrs.define(eq=False)
class AuthAgent:
    """Authenticate to one upstream, and to whatever registry it sends us to.

    Our credentials are for the upstream and its token service alone. Another registry,
    to which a redirect leads, gets a token that anybody may have. A URL that carries a
    signature gets nothing: it is good as it is, and a store takes two ways for none.
    """

    _agent: IAgent
    _clock: IReactorTime
    _upstream: str
    _login: Login
    _anonymous: Login
    _known: SizedCache[tuple[Origin, str], Sequence[Challenge]] = attrs.field(
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
        """Ask; on a refusal, learn what is demanded and ask once more."""

        def ask(authorization: str | None) -> Deferred[IResponse]:
            return self._send(method, uri, headers, bodyProducer, authorization)

        url = uri.decode("ascii")
        if is_signed(url):
            return await ask(None)
        target, attempt = self._target(url), _Attempt()
        given = await self._remembered(target, attempt)
        response = await ask(given)
        if given is not None and response.code in (400, 401) and not is_api(url):
            discard(response, self._clock)
            given, response = None, await ask(None)
        if response.code not in _REFUSED:
            if given is None:
                self._known.pop(target.key)
            return response
        if target.login is self._anonymous and not is_api(url):
            return response  # a storage, which has no tokens
        return await self._learn(target, ask, response, given, attempt)

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
        return self._known.get(self._target(url).key) is not None

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
    async def _remembered(self, target: AuthTarget, attempt: _Attempt) -> str | None:
        """Fire with what was good last time, or with nothing if it cannot be had."""
        for challenge in self._known.get(target.key) or ():
            given = await self._meet(challenge, target, attempt)
            if given is not None:
                return given
        return None

    @deferred
    async def _learn(
        self,
        target: AuthTarget,
        ask: Ask,
        response: IResponse,
        given: str | None,
        attempt: _Attempt,
    ) -> IResponse:
        """Find out what is demanded now, and meet it."""
        offered = _offered(response)
        attempt.response = spend(response, self._clock)
        if given is not None:
            attempt.shown.add(given)
            if not offered or response.code == 403:
                plain = await ask(None)
                if plain.code not in _REFUSED:
                    self._known.pop(target.key)
                    return plain
                offered = _offered(plain) or offered
                discard(plain, self._clock)
        if not offered:
            return attempt.end()
        usable = self._usable(offered, target)
        self._remember(target, usable)
        met = await self._try(usable, target, ask, attempt)
        if met is None and self._may_renew(attempt, target):
            attempt.failed.clear()
            met = await self._try(usable, target, ask, attempt)
        return attempt.end() if met is None else met

    @deferred
    async def _try(
        self,
        challenges: Sequence[Challenge],
        target: AuthTarget,
        ask: Ask,
        attempt: _Attempt,
    ) -> IResponse | None:
        """Fire with the first answer that is no refusal."""
        for challenge in challenges:
            authorization = await self._meet(challenge, target, attempt)
            if authorization is None or authorization in attempt.shown:
                continue
            attempt.shown.add(authorization)
            response = await ask(authorization)
            if response.code not in _REFUSED:
                return response
            attempt.trouble = None
            attempt.response = spend(response, self._clock)
        return None

    def _may_renew(self, attempt: _Attempt, target: AuthTarget) -> bool:
        """Tell whether other credentials could help, and can be had."""
        refused = isinstance(attempt.trouble, Unauthorized | Denied | None)
        return refused and target.login.renew(target.origin.authority)

    @deferred
    async def _meet(
        self, challenge: Challenge, target: AuthTarget, attempt: _Attempt
    ) -> str | None:
        """Fire with what meets a challenge; ``None`` if nothing does."""
        if challenge in attempt.failed:
            return None
        try:
            return await target.login.meet(
                challenge, target.origin.authority, target.scope, attempt.shown
            )
        except RegistryError as error:
            attempt.failed.append(challenge)
            attempt.trouble = error
            return None

    def _usable(
        self, offered: Sequence[Challenge], target: AuthTarget
    ) -> Sequence[Challenge]:
        """Leave out what names a token service that is not trusted.

        :raise UpstreamFailed: nothing else is offered.
        """
        usable = [item for item in offered if target.login.trusts(item, target.origin)]
        if usable:
            return usable
        self._log.warn(
            "{upstream} names a token service at {realm}, which is not trusted; "
            "if it is right, list it under proxy.trustedrealms",
            upstream=target.origin.authority,
            realm=offered[0].parameters.get("realm", "")[:200],
        )
        facts = {
            "upstream": target.origin.authority,
            "reason": "token service is not trusted",
        }
        raise UpstreamFailed(facts)

    def _remember(self, target: AuthTarget, challenges: Sequence[Challenge]) -> None:
        size = sum(OVERHEAD_BYTES + _size_of(item) for item in challenges)
        self._known.put(target.key, challenges, size + size_of(target.url))

    @property
    def _host(self) -> str:
        return Origin.of(self._upstream).authority


def _scope(path: str) -> str | None:
    """Give the scope of a token, empty for none; ``None`` to obey the challenge."""
    return scope_of(path) or ("" if path == "/v2/" else None)


def _offered(response: IResponse) -> list[Challenge]:
    """Read what can be met in general; Bearer first."""
    lines = header_lines(response, "WWW-Authenticate")
    found = [_used(item) for item in parse_challenges(lines)]
    bearers = [
        item
        for item in found
        if item.scheme == "bearer" and item.parameters.get("realm")
    ]
    basics = [item for item in found if item.scheme == "basic"]
    return (bearers[: MAX_CHALLENGES - 1] + basics)[:MAX_CHALLENGES]


def _used(challenge: Challenge) -> Challenge:
    """Leave out what nobody looks at, and would be remembered."""
    given = challenge.parameters
    kept = {name: given[name] for name in _USED if name in given}
    return Challenge(challenge.scheme, kept)


def _size_of(challenge: Challenge) -> int:
    return size_of(challenge.scheme, *challenge.parameters.values())
