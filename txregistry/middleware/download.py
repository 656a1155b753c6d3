"""Fetch a small document by HTTP, with a bound in bytes and in time."""

from __future__ import annotations

from treq.client import HTTPClient
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import OK

from txregistry.flow.collected import BodyCollector, BodyCut
from txregistry.flow.deferred import deferred
from txregistry.flow.streams import TooLong


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
    try:
        content = await BodyCollector(limit).collect(response)
    except TooLong as error:
        raise NotFetched(f"is longer than {limit} bytes") from error
    except BodyCut as error:
        raise NotFetched("ended early") from error
    if response.code != OK:
        raise NotFetched(f"is answered with {response.code}")
    return content
