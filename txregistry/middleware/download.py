"""Fetch a small document by HTTP, with a bound in bytes and in time."""

from __future__ import annotations

import attrs
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import OK, PotentialDataLoss

from txregistry.flow.deferred import deferred


class NotFetched(Exception):
    """A document could not be had."""


@deferred
async def fetch(
    client: HTTPClient, url: str, limit: int, seconds: float, clock: IReactorTime
) -> bytes:
    """Fire with a document.

    :param limit: bytes that it may have.
    :param seconds: for all of it.
    :return: fails with :class:`NotFetched`, ``TimeoutError`` of Twisted, or as the
        connection does.
    """
    return await _fetch(client, url, limit).addTimeout(seconds, clock)


@deferred
async def _fetch(client: HTTPClient, url: str, limit: int) -> bytes:
    response = await client.get(url, unbuffered=True)
    body = _Body(limit)
    response.deliverBody(body)
    content = await body.done
    if response.code != OK:
        raise NotFetched(f"is answered with {response.code}")
    return content


@attrs.define(eq=False, slots=False)
class _Body(Protocol):
    """Collects a body; cancelling ``done`` closes its connection."""

    _limit: int
    _content: bytearray = attrs.field(factory=bytearray)
    done: Deferred[bytes] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.done = Deferred(lambda _: self._close())

    def dataReceived(self, data: bytes) -> None:
        self._content += data
        if len(self._content) > self._limit:
            self._fail(NotFetched(f"is longer than {self._limit} bytes"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(bytes(self._content))
        else:
            self.done.errback(reason)

    def _fail(self, error: Exception) -> None:
        if not self.done.called:
            self.done.errback(error)
        self._close()

    def _close(self) -> None:
        self._content = bytearray()
        if self.transport is not None:
            self.transport.loseConnection()
