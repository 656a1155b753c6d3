"""An agent that answers what a test says, and its answers; no wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer

HOME = "https://upstream.example"


@attrs.define(eq=False)
class Request:
    """What an answer says it answers."""

    absoluteURI: bytes | None = None


@implementer(IResponse)
@attrs.define(eq=False)
class Answer:
    """An answer whose body, unless it is empty, ends when a test says.

    :ivar reader: who was given the body.
    :ivar closed: the connection was closed in the middle of it.
    """

    code: int = 200
    said: Mapping[str, str] = attrs.field(factory=dict)
    length: int = 0
    uri: str | None = None
    reader: Protocol | None = None
    closed: bool = False

    version = (b"HTTP", 1, 1)
    phrase = b""
    previousResponse = None

    @property
    def headers(self) -> Headers:
        return Headers({name: [value] for name, value in self.said.items()})

    @property
    def request(self) -> Request:
        return Request(None if self.uri is None else self.uri.encode())

    def setPreviousResponse(self, response: object) -> None:
        """Have none."""

    def deliverBody(self, protocol: Any) -> None:
        self.reader = protocol
        protocol.makeConnection(self)
        if not self.length:
            self.end()

    def loseConnection(self) -> None:
        self.closed = True

    def end(self) -> None:
        """Let the body end as it should."""
        assert self.reader is not None
        self.reader.connectionLost(type(connectionDone)(ResponseDone()))


@attrs.frozen(eq=False)
class Asked:
    """One question, to be answered by firing its Deferred."""

    method: bytes
    uri: bytes
    headers: Headers | None
    body: object
    answer: Deferred[Any]

    def header(self, name: str) -> list[bytes]:
        return self.headers.getRawHeaders(name.encode(), []) if self.headers else []


@implementer(IAgent)
@attrs.define(eq=False)
class Answering:
    """Answers questions at once as planned; those beyond the plan wait.

    :ivar plan: answers, statuses or errors.
    :ivar withdrawn: an error with which a question fails that is cancelled.
    """

    plan: list[Any] = attrs.field(factory=list)
    asked: list[Asked] = attrs.field(factory=list)
    cancelled: int = 0
    withdrawn: Exception | None = None

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: object = None,
    ) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred(self._cancel)
        self.asked.append(Asked(method, uri, headers, bodyProducer, answer))
        if self.plan:
            settle(answer, self.plan.pop(0))
        return answer

    @property
    def uris(self) -> list[str]:
        return [asked.uri.decode() for asked in self.asked]

    def _cancel(self, answer: Deferred[Any]) -> None:
        self.cancelled += 1
        if self.withdrawn is not None:
            answer.errback(self.withdrawn)


def settle(deferred: Deferred[Any], result: Any) -> None:
    """Answer by an answer, a status or an error."""
    if isinstance(result, Exception):
        deferred.errback(result)
    else:
        deferred.callback(Answer(result) if isinstance(result, int) else result)


class AgentCase(SynchronousTestCase):
    """An agent around one that answers as planned, on a clock."""

    make: Callable[[Answering, Clock], Any]

    def setUp(self) -> None:
        self.clock = Clock()
        self.inner = Answering()
        self.agent = type(self).make(self.inner, self.clock)

    def ask(
        self,
        path: str = "/v2/a/manifests/v1",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Deferred[Any]:
        """Ask for a path of the upstream, or for a URL."""
        uri = path if "://" in path else HOME + path
        given = None
        if headers is not None:
            given = Headers({name: [value] for name, value in headers.items()})
        return self.agent.request(method.encode(), uri.encode(), given, body)

    def status(self, *args: Any, **kwargs: Any) -> int:
        """Give the status of what is answered at once."""
        return self.successResultOf(self.ask(*args, **kwargs)).code

    def refused(self, kind: type[Exception], *args: Any, **kwargs: Any) -> Any:
        """Give the error with which a question fails at once."""
        return self.failureResultOf(self.ask(*args, **kwargs), kind).value

    def assert_nothing_is_left(self) -> None:
        """There are no timers."""
        self.assertEqual(self.clock.getDelayedCalls(), [])
