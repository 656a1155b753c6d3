"""Ask an upstream and understand its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urljoin

import attrs
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from txregistry.flow.deferred import deferred
from txregistry.flow.discard import discard
from txregistry.interfaces.observe import IMeter
from txregistry.remote.agents import (
    BreakerAgent,
    IdentityAgent,
    RedirectAgent,
    RetryAgent,
    TimedAgent,
)
from txregistry.remote.answers import error_of, parse_retry_after
from txregistry.remote.auth import AuthAgent
from txregistry.remote.body import collect, deliver, header
from txregistry.remote.credentials import ICredentialStore
from txregistry.remote.origin import Origin
from txregistry.remote.tokens import Tokens
from txregistry.spec.errors import RegistryError, UpstreamFailed


@attrs.frozen
class Limits:
    """How long an upstream may take, in seconds.

    :ivar first_byte: from the question to the head of the answer, connecting included.
    :ivar idle: between two pieces of a body.
    """

    first_byte: float = 20.0
    idle: float = 30.0


@attrs.define(eq=False)
class UpstreamClient:
    """The HTTP side of one upstream.

    :ivar url: scheme, host and port, without a slash at the end.
    """

    url: str
    _http: HTTPClient
    _auth: AuthAgent
    _clock: IReactorTime
    _limits: Limits

    @property
    def host(self) -> str:
        """Name the upstream in errors and logs."""
        return Origin.of(self.url).authority

    @deferred
    async def ask(
        self,
        method: str,
        path: str,
        headers: Headers | None = None,
        ok: Sequence[int] = (200,),
        not_found: Callable[[], RegistryError] = lambda: UpstreamFailed("404"),
    ) -> IResponse:
        """Ask for a path, or for a URL that the upstream itself gave.

        :return: fires with a response whose status is one of ``ok`` and whose body
            the caller must read or discard. Fails with what the status stands for,
            or ``UpstreamFailed``, ``UpstreamTimeout``, ``UpstreamUnavailable``.
        """
        response = await self._http.request(
            method,
            urljoin(self.url + "/", path),
            headers=headers,
            allow_redirects=False,
            unbuffered=True,
        )
        if response.code in ok:
            return response
        now = self._clock.seconds()
        wait = parse_retry_after(header(response, "Retry-After"), now)
        self.discard(response)
        raise error_of(response.code, self.host, not_found(), wait)

    def deliver(self, response: IResponse, consumer: IConsumer) -> Deferred[None]:
        """Push a body into a consumer; see :func:`txregistry.remote.body.deliver`."""
        return deliver(response, consumer, self._clock, self._limits.idle, self.host)

    def collect(self, response: IResponse, max_bytes: int) -> Deferred[bytes]:
        """Read a small body; see :func:`txregistry.remote.body.collect`."""
        return collect(response, max_bytes, self._clock, self._limits.idle, self.host)

    def discard(self, response: IResponse) -> None:
        """Get rid of a body."""
        discard(response, self._clock)

    def preload(self) -> Deferred[bool]:
        """Learn how to authenticate and do so once."""
        return self._auth.preload()


def make_client(
    url: str,
    core: IAgent,
    clock: IReactorTime,
    spread: Callable[[], float],
    credentials: ICredentialStore,
    trusted_realms: Sequence[str],
    limits: Limits,
    meter: IMeter,
) -> UpstreamClient:
    """Nest the agents around the one that really connects."""
    url = url.rstrip("/")
    timed = TimedAgent(IdentityAgent(core), clock, limits.first_byte, meter)
    tokens = Tokens(HTTPClient(timed), clock, credentials, limits.idle)
    auth = AuthAgent(timed, clock, url, trusted_realms, credentials, tokens)
    retrying = RetryAgent(RedirectAgent(auth, clock), clock, spread)
    http = HTTPClient(BreakerAgent(retrying, clock))
    return UpstreamClient(url, http, auth, clock, limits)
