"""How a case talks to a registry: one request at a time, whatever is in between."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs
import treq
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer
from zope.interface import implementer

Fields = Mapping[str, str | Sequence[str]]
Settle = Callable[[Deferred[Any]], Deferred[Any]]


@attrs.frozen
class Response:
    """What came back.

    :ivar length: what ``Content-Length`` says, also of an answer to HEAD.
    """

    status: int
    headers: Headers
    body: bytes = attrs.field(repr=False)
    length: int | None

    def header(self, name: str) -> str | None:
        """Give a header that is there once at most."""
        values = self.all(name)
        assert len(values) < 2, f"{name} is there more than once: {values}"
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """Give every value of a header."""
        return list(self.headers.getRawHeaders(name, []))

    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.body)


class Client(Protocol):
    """What a case is given.

    :ivar name: a repository that no other case uses.
    """

    name: str

    def request(
        self,
        method: str,
        path: str,
        body: bytes | IBodyProducer | None = None,
        headers: Fields | None = None,
    ) -> Awaitable[Response]:
        """Ask once; redirects are not followed.

        :param path: or the whole URL that an answer gave.
        """


@implementer(IBodyProducer)
@attrs.define(eq=False)
class Streamed:
    """A body whose length is not announced; it is sent as chunks."""

    parts: Iterable[bytes]
    length: Any = UNKNOWN_LENGTH

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        for part in self.parts:
            consumer.write(part)
        return succeed(None)

    def stopProducing(self) -> None:
        """Stop, having sent everything already."""

    pauseProducing = resumeProducing = stopProducing


@implementer(IBodyProducer)
@attrs.define(eq=False)
class Withheld:
    """A body that is announced and never sent: who answers has not read it."""

    length: int

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        return Deferred()  # whoever wants to stop us has nothing to stop

    def stopProducing(self) -> None:
        """Stop, having sent nothing."""

    pauseProducing = resumeProducing = stopProducing


@attrs.define(eq=False)
class AgentClient:
    """A client that asks through an agent, over sockets or without.

    :param settle: makes what takes time happen.
    """

    _agent: IAgent
    _base: str
    name: str
    _settle: Settle = lambda done: done

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | IBodyProducer | None = None,
        headers: Fields | None = None,
    ) -> Response:
        """Ask once."""
        path = path.removeprefix(self._base)
        assert path.startswith("/"), f"{path} is not at {self._base}"
        fields = Headers()
        for name, value in (headers or {}).items():
            values = [value] if isinstance(value, str) else list(value)
            fields.setRawHeaders(name, values)
        if isinstance(body, bytes):
            body = Streamed([body], len(body))
        asked = self._agent.request(
            method.encode(), f"{self._base}{path}".encode(), fields, body
        )
        return await self._settle(asked.addCallback(_read, method))


def _read(response: Any, method: str) -> Deferred[Response]:
    chunks: list[bytes] = []

    def whole(_: None) -> Response:
        length = None if response.length is UNKNOWN_LENGTH else response.length
        if method == "HEAD":
            announced = response.headers.getRawHeaders("Content-Length")
            length = int(announced[0]) if announced else None
        return Response(response.code, response.headers, b"".join(chunks), length)

    return treq.collect(response, chunks.append).addCallback(whole)
