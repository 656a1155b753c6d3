"""The HTTP client of one upstream."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, TypeVar

import attrs
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from txregistry.flow.context import in_context
from txregistry.flow.deferred import deferred
from txregistry.flow.discard import discard
from txregistry.flow.turns import Turns
from txregistry.interfaces.observe import IMeter
from txregistry.interfaces.provenance import current_status
from txregistry.remote.agents import (
    IdentityAgent,
    RetryAgent,
    TimedAgent,
)
from txregistry.remote.answers import error_of
from txregistry.remote.auth import AuthAgent
from txregistry.remote.body import collect, deliver, retry_after
from txregistry.remote.breakers import ATTEMPTS, OriginBreaker, PathBreaker
from txregistry.remote.connections import IIdleConnections, StaleConnectionAgent
from txregistry.remote.credentials import ICredentialStore, StaticCredentials
from txregistry.remote.head_support import HeadSupport
from txregistry.remote.http_client import encoded_url, http_client
from txregistry.remote.login import Login, is_no_downgrade
from txregistry.remote.missing import MissingPaths
from txregistry.remote.offline import OfflineSwitch
from txregistry.remote.origin import Origin, is_trusted_realm
from txregistry.remote.ratelimit import RateLimit, RateLimitAgent
from txregistry.remote.redirects import RedirectAgent, StorageAgent
from txregistry.remote.request_slots import RequestSlots, SlotAgent
from txregistry.remote.response_parser import install_parser
from txregistry.remote.tokens import Tokens
from txregistry.spec.errors import RegistryError, UpstreamFailed

T = TypeVar("T")

#: Entries of a long list that are parsed in one turn of the reactor.
_PER_TURN = 256


@attrs.frozen
class Limits:
    """Times in seconds, and the number of connections.

    :ivar first_byte: from the request to the head of the response, connecting included.
    :ivar idle: between two pieces of a body.
    :ivar connections: concurrent requests to the upstream and to redirect targets.
    :ivar negative: for which a 404 is remembered; 0 for not at all.
    """

    first_byte: float = 20.0
    idle: float = 30.0
    connections: int = 16
    negative: float = 0.0


@attrs.frozen(eq=False)
class UpstreamAgents:
    """The nested agents that send requests to one upstream, and their settings.


    :ivar url: the base URL, without a trailing slash; it may have a path.
    :ivar head_support: which repositories do not answer HEAD.
    :ivar missing: what the upstream has lately said it does not have.
    :ivar breaker: pauses the upstream while it cannot be reached.
    """

    url: str
    http: HTTPClient
    auth: AuthAgent
    limits: Limits
    head_support: HeadSupport
    missing: MissingPaths
    breaker: OriginBreaker


@attrs.define(eq=False)
class UpstreamClient:
    """The HTTP client of one upstream.

    :param offline: while it is on, requests fail at once.
    """

    _agents: UpstreamAgents
    _clock: IReactorTime
    _offline: OfflineSwitch = attrs.field(factory=OfflineSwitch)
    _parse_lock: DeferredLock = attrs.field(factory=DeferredLock)

    def use(self, agents: UpstreamAgents) -> None:
        """Send new requests through other agents; current ones are not affected."""
        self._agents = agents

    @property
    def paused_seconds(self) -> float:
        """Return the seconds until the upstream is asked again; 0 if it is asked."""
        return self._agents.breaker.paused_seconds

    @property
    def is_failing(self) -> bool:
        """Tell whether the last request could not reach the upstream."""
        return self._agents.breaker.is_failing

    @property
    def url(self) -> str:
        """Return the base URL, without a trailing slash; it may have a path."""
        return self._agents.url

    @property
    def head_support(self) -> HeadSupport:
        """Return which repositories do not answer HEAD."""
        return self._agents.head_support

    def forget_missing(self, path: str) -> None:
        """Ask for a path next time, also if it was missing a short time ago."""
        self._agents.missing.forget(path)

    def parse_long(
        self, read: Callable[[bytes, Turns], Coroutine[Any, Any, T]], body: bytes
    ) -> Deferred[T]:
        """Parse a long body in several turns of the reactor.

        One body is parsed at a time, as the objects of a JSON document may take twenty
        times its size.

        :param read: a coroutine function that parses the body and takes the turns.
        :return: fires with its result, and fails as it does.
        """
        return self._parse_lock.run(
            in_context(deferred(read)), body, Turns(self._clock, _PER_TURN)
        )

    @property
    def host(self) -> str:
        """Return the host, with a port that is not the default, for errors and logs."""
        return Origin.of(self.url).authority

    @deferred
    async def request(
        self,
        method: str,
        path: str,
        headers: Headers | None = None,
        ok: Sequence[int] = (200,),
        not_found: Callable[[], RegistryError] = lambda: UpstreamFailed("404"),
        missing: Collection[int] = (404, 410),
    ) -> IResponse:
        """Send a request for a path, such as ``/v2/…``.

        :param not_found: makes the error for a status of ``missing``.
        :return: fires with a response whose status is one of ``ok``; the caller must
            read or discard its body. Fails with the error of the status, see
            :func:`error_of`, or with ``UpstreamFailed``, ``UpstreamTimeout`` or
            ``UpstreamUnavailable``.
        """
        known = self._agents.missing
        if known.has(path):
            status = current_status()
            status.hit, status.forward, status.detail = True, None, "negative"
            raise not_found()
        self._offline.check(self.host)
        response = await self._agents.http.request(
            method,
            encoded_url(self.url + path),
            headers=headers,
            allow_redirects=False,
            unbuffered=True,
        )
        if response.code in ok:
            return response
        wait = retry_after(response, self._clock.seconds())
        self.discard(response)
        if response.code in missing:
            known.remember(method, path)
            raise not_found()
        raise error_of(response.code, self.host, wait)

    def deliver(self, response: IResponse, consumer: IConsumer) -> Deferred[None]:
        """Push a body into a consumer; see :func:`txregistry.remote.body.deliver`."""
        return deliver(
            response, consumer, self._clock, self._agents.limits.idle, self.host
        )

    def collect(self, response: IResponse, max_bytes: int) -> Deferred[bytes]:
        """Read a small body; see :func:`txregistry.remote.body.collect`."""
        return collect(
            response, max_bytes, self._clock, self._agents.limits.idle, self.host
        )

    def discard(self, response: IResponse) -> None:
        """Discard a body; see :func:`txregistry.flow.discard.discard`."""
        discard(response, self._clock)

    @deferred
    async def preload(self) -> bool:
        """Authenticate once; see :meth:`AuthAgent.preload`."""
        self._offline.check(self.host)
        return await self._agents.auth.preload()


def make_agents(
    url: str,
    core: IAgent,
    clock: IReactorTime,
    jitter: Callable[[], float],
    credentials: ICredentialStore,
    trusted_realms: Sequence[str],
    limits: Limits,
    meter: IMeter,
    user_agent: str,
    idle: IIdleConnections | None = None,
    rate_limit: RateLimit | None = None,
) -> UpstreamAgents:
    """Nest the agents around the core; see :mod:`.agents`.

    :param core: the agent that connects.
    :param jitter: returns a random number from 0 to 1, for delays between retries.
    :param trusted_realms: ``proxy.trustedrealms``.
    :param user_agent: the ``User-Agent`` of all requests.
    :param idle: the core's pool of idle connections, if it has one.
    :param rate_limit: is shown all answers of the upstream.
    """
    install_parser()
    url = url.rstrip("/")
    identity = IdentityAgent(core, user_agent)
    timed: IAgent = TimedAgent(identity, clock, limits.first_byte, meter)
    if idle is not None:
        timed = StaleConnectionAgent(timed, clock, idle)
    limited: IAgent = SlotAgent(timed, clock, RequestSlots(limits.connections))
    if rate_limit is not None:
        limited = RateLimitAgent(limited, url, rate_limit)
    guarded = OriginBreaker(limited, clock, url)
    token_client = http_client(RedirectAgent(guarded, clock))

    def login(
        store: ICredentialStore, is_trusted: Callable[[Origin, str], bool]
    ) -> Login:
        return Login(store, Tokens(token_client, clock, store, limits.idle), is_trusted)

    own_login = login(
        credentials, lambda _, realm: is_trusted_realm(url, realm, trusted)
    )
    trusted = tuple(trusted_realms)
    anonymous = login(StaticCredentials(None), is_no_downgrade)
    auth = AuthAgent(guarded, clock, url, own_login, anonymous)
    storage = StorageAgent(RedirectAgent(auth, clock), clock)
    http = http_client(PathBreaker(RetryAgent(storage, clock, jitter, ATTEMPTS), clock))
    return UpstreamAgents(
        url,
        http,
        auth,
        limits,
        HeadSupport(clock),
        MissingPaths(limits.negative, clock),
        guarded,
    )
