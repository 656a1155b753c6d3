"""The driver's parts, put together for a section."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.iweb import IAgent

from txregistry import __version__
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.storagedriver.s3.client import Client
from txregistry.storagedriver.s3.copying import Copies
from txregistry.storagedriver.s3.endpoint import BucketPlace, find_endpoint
from txregistry.storagedriver.s3.keys import Keys
from txregistry.storagedriver.s3.listing import Listing
from txregistry.storagedriver.s3.multipart import Multiparts
from txregistry.storagedriver.s3.removal import Removal
from txregistry.storagedriver.s3.request import StoreUnreachable
from txregistry.storagedriver.s3.settings import S3Settings
from txregistry.storagedriver.s3.signing import (
    Keychain,
    make_keychain,
    presigned_url,
)
from txregistry.storagedriver.s3.transport import Connections, open_connections
from txregistry.storagedriver.s3.unfinished import Unfinisheds

_log = Logger(namespace="txregistry.storagedriver.s3")


@attrs.define(eq=False)
class Network:
    """The way to the store, once there is a reactor."""

    _skip_verify: bool
    _connections: Connections | None = None

    def connect(self, reactor: Any) -> None:
        """Use the network of a reactor."""
        self._connections = open_connections(reactor, self._skip_verify)

    def use(self, agent: IAgent) -> None:
        """Ask by an agent that is not ours."""
        self._connections = Connections(agent, lambda: succeed(None))

    def agent(self) -> IAgent:
        """Give what asks.

        :raise StoreUnreachable: there is no network yet.
        """
        if self._connections is None:
            raise StoreUnreachable("not connected yet")
        return self._connections.agent

    def disconnect(self) -> Deferred[None]:
        """Close idle connections; others end with what they do."""
        if self._connections is None:
            return succeed(None)
        return self._connections.close()


@attrs.frozen(eq=False)
class Parts:
    """What the driver's verbs are made of."""

    settings: S3Settings
    network: Network
    endpoint: BucketPlace
    keychain: Keychain
    keys: Keys
    client: Client
    multiparts: Multiparts
    copies: Copies
    unfinished: Unfinisheds
    listing: Listing
    removal: Removal

    @deferred
    async def signed_url(self, key: str, method: str, seconds: int) -> str:
        """Fire with a URL by which clients read an object; fail as the client does."""
        keys = await self.keychain.keys()
        seen = self.endpoint.at(self.settings.redirectendpoint)
        return presigned_url(keys, seen, method, key, self.client.now, seconds)


def make_parts(
    settings: S3Settings,
    disk: Disk,
    clock: IReactorTime,
    jitter: Callable[[], float],
) -> Parts:
    """Put them together; nothing is asked yet.

    :raise ValueError: there is no such place.
    """
    network, keys = Network(settings.skipverify), Keys.of(settings.rootdirectory)
    endpoint, keychain = find_endpoint(settings), make_keychain(settings, disk)
    client = Client(
        network.agent,
        endpoint,
        keychain,
        clock,
        jitter,
        settings.useragent or f"txregistry/{__version__}",
        None if settings.loglevel == "off" else _trace,
    )
    multiparts = Multiparts(client, settings.bucket, settings.object_headers)
    copies, listing = Copies(client, multiparts, settings), Listing(client, keys)
    return Parts(
        settings,
        network,
        endpoint,
        keychain,
        keys,
        client,
        multiparts,
        copies,
        Unfinisheds(client, multiparts, copies),
        listing,
        Removal(client, keys, listing, multiparts),
    )


def _trace(line: str) -> None:
    _log.info("s3: {line}", line=line)
