"""Log in to the upstream before the first request."""

from __future__ import annotations

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.client import HTTPConnectionPool

from txregistry.flow.deferred import deferred
from txregistry.remote.client import UpstreamClient


@attrs.define(eq=False, slots=False)
class Preload(Service):
    """Authenticates to the upstream right after the start.

    Nothing waits for it: the upstream may be down.
    """

    _client: UpstreamClient
    _pool: HTTPConnectionPool
    _uses_credentials: bool
    _loading: Deferred[None] | None = None
    _log = Logger()

    def startService(self) -> None:
        """Begin, if there are credentials."""
        super().startService()
        if self._uses_credentials:
            self._loading = self._load()

    def stopService(self) -> None:
        """Cancel the login and begin to close idle connections.

        Their ends are not waited for: over TLS the upstream has to agree, and one whose
        network is gone never does.
        """
        super().stopService()
        if self._loading is not None:
            self._loading.cancel()
        self._pool.closeCachedConnections()

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
