"""Log in to the upstream before the first request."""

from __future__ import annotations

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from txregistry.flow.deferred import deferred
from txregistry.remote.client import UpstreamClient
from txregistry.remote.connections import KeepAlivePool


@attrs.define(eq=False, slots=False)
class Preload(Service):
    """Authenticates to the upstream right after the start.

    Nothing waits for it: the upstream may be down.
    """

    _client: UpstreamClient
    _pool: KeepAlivePool
    _uses_credentials: bool
    _loading: Deferred[None] | None = None
    _log = Logger()

    def startService(self) -> None:
        """Begin, if there are credentials."""
        super().startService()
        if self._uses_credentials:
            self._loading = self._load()

    def renew(self, pool: KeepAlivePool, uses_credentials: bool) -> None:
        """Authenticate again, after the agents of the client were replaced.

        :param pool: the pool of the new agents; the old one is retired.
        """
        before, self._pool = self._pool, pool
        before.retire()
        self._uses_credentials = uses_credentials
        self._cancel()
        if self.running and uses_credentials:
            self._loading = self._load()

    @deferred
    async def stopService(self) -> None:
        """Cancel the login and begin to close idle connections.

        Their ends are not waited for: over TLS the upstream has to agree, and one whose
        network is gone never does.
        """
        super().stopService()
        self._cancel()
        self._pool.closeCachedConnections()

    def _cancel(self) -> None:
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.cancel()

    @deferred
    async def _load(self) -> None:
        try:
            await self._client.preload()
            self._log.info("authenticated to {upstream}", upstream=self._client.host)
        except CancelledError:
            return
        except Exception as error:
            # Any error is one warning, and the cache keeps serving.
            self._log.warn(
                "cannot authenticate to {upstream} yet: {error}",
                upstream=self._client.host,
                error=str(error),
            )
