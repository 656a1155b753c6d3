"""Connections to the server that Sentinel names as the master of a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.redis.client import Redis, RedisAway

Address = tuple[str, int]


@implementer(IStreamClientEndpoint)
@attrs.define(eq=False)
class SentinelEndpoint:
    """Asks for the master's address before each attempt to connect.

    :param name: of the group, as Sentinel knows it.
    :param sentinels: makes clients of all of Sentinel's processes, which are asked in
        their order.
    :param endpoint: of a server at an address.
    """

    _name: str
    _sentinels: Callable[[], Sequence[Redis]]
    _endpoint: Callable[[str, int], IStreamClientEndpoint]
    _last: Address | None = None
    _log = Logger()

    @deferred
    async def connect(self, factory: IProtocolFactory) -> IProtocol:
        """Connect to the current master.

        :return: fires with the protocol. Fails with ``ConnectError`` if no process of
            Sentinel names one, or as connecting fails.
        """
        address = await self._find()
        if address != self._last:
            self._log.info(
                "redis: Sentinel names {host}:{port} as the master of {name}",
                host=address[0],
                port=address[1],
                name=self._name,
            )
            self._last = address
        return await self._endpoint(*address).connect(factory)

    @deferred
    async def _find(self) -> Address:
        for sentinel in self._sentinels():
            try:
                found = await self._ask(sentinel)
            except RedisAway:
                continue
            if found is not None:
                return found
        raise ConnectError(string=f"Sentinel names no master of {self._name}")

    @deferred
    async def _ask(self, sentinel: Redis) -> Address | None:
        sentinel.startService()
        try:
            await sentinel.ready()
            return _read(await sentinel.ask(self._question))
        finally:
            sentinel.stopService().addErrback(_passed_over)

    def _question(self, commands: Any) -> Deferred[Any]:
        asked: Deferred[Any] = commands.sentinel_get_master_addr_by_name(self._name)
        return asked


def _passed_over(failure: Any) -> None:
    """Pass over how the connection to a process of Sentinel ended."""
    failure.trap(Exception, CancelledError)


def _read(answer: object) -> Address | None:
    """Read host and port; ``None`` if Sentinel knows no such group."""
    if not isinstance(answer, list | tuple) or len(answer) != 2:
        return None
    host, port = map(str, answer)
    return (host, int(port)) if port.isdecimal() else None
