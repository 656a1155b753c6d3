"""Ask no upstream anything while the cache is offline (``proxy.offline``).

Note [Offline is 503]. What a cache does not have may exist: 404 would be a claim that
it cannot make, and that clients and those behind them remember. So it answers 503, and
clients with another registry on their list go on to that one, as they do after 404.
What the upstream said 404 to just before stays 404 for ``proxy.negativettl``.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.logger import Logger
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.offline import IOfflineSwitch
from txregistry.remote.origin import Origin
from txregistry.spec.errors import UpstreamUnavailable


def _tell_nobody(_: bool) -> None:
    """Tell nobody."""


@implementer(IOfflineSwitch)
@attrs.define(eq=False)
class OfflineSwitch:
    """Whether any upstream may be asked; the last word counts.

    :ivar is_on: no upstream is asked.
    :param tell: told of each change, and once at the beginning.
    """

    is_on: bool = False
    _tell: Callable[[bool], None] = _tell_nobody
    _configured: bool = attrs.field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._configured = self.is_on
        self._tell(self.is_on)

    def switch(self, on: bool) -> bool:
        """Go offline, or online again; see :class:`IOfflineSwitch`."""
        if on == self.is_on:
            return False
        self.is_on = on
        self._tell(on)
        self._log.warn(
            "{state}", state="offline: no upstream is asked" if on else "online"
        )
        return True

    def follow(self, configured: bool) -> None:
        """Take a configuration, if that has changed."""
        if configured != self._configured:
            self._configured = configured
            self.switch(configured)

    def check(self, upstream: str) -> None:
        """Check that an upstream may be asked.

        :param upstream: its host, for the error.
        :raise UpstreamUnavailable: it may not; see Note [Offline is 503].
        """
        if self.is_on:
            raise UpstreamUnavailable({"upstream": upstream, "reason": "offline"})


@implementer(IAgent)
@attrs.define(eq=False)
class OfflineAgent:
    """The innermost agent but for the one that connects: nothing is dialled offline.

    New requests are refused before they get here; this is for what those that were
    under way ask next: a redirect, a token, a retry.
    """

    _agent: IAgent
    _offline: OfflineSwitch

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Send a request; fails with ``UpstreamUnavailable`` while offline."""
        self._offline.check(Origin.of(uri.decode("ascii")).authority)
        return await self._agent.request(method, uri, headers, bodyProducer)
