"""Where Sentinel says that the master is."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from txredisapi import ResponseError
from zope.interface.verify import verifyObject

from txregistry.flow.redis.client import Redis, RedisSettings
from txregistry.flow.redis.sentinel import SentinelEndpoint


@attrs.define(eq=False)
class Sentinel:
    """What one process of Sentinel answers."""

    answer: Any
    size: int = 1
    asked: list[str] = attrs.field(factory=list)
    begun: int = 0

    @property
    def handler(self) -> Any:
        return self

    def sentinel_get_master_addr_by_name(self, name: str) -> Deferred[Any]:
        self.asked.append(name)
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        return succeed(self.answer)

    def startConnecting(self, endpoint: Any) -> None:
        self.begun += 1

    def abort(self) -> Deferred[None]:
        self.begun -= 1
        return succeed(None)


class Client(Redis):
    """The client of one."""

    def __init__(self, clock: Clock, sentinel: Sentinel) -> None:
        self.sentinel = sentinel
        super().__init__("endpoint", RedisSettings(answer_seconds=1.0), clock)

    def _make_factory(self) -> Any:
        return self.sentinel


@attrs.define(eq=False)
class Server:
    """An endpoint that connects at once, or refuses."""

    address: tuple[str, int]
    refuses: bool = False

    def connect(self, factory: Any) -> Deferred[Any]:
        return fail(Refused()) if self.refuses else succeed(self.address)


class SentinelTests(SynchronousTestCase):
    """Several processes of Sentinel."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.refuses = False

    def connect(self, *sentinels: Sentinel) -> Deferred[Any]:
        endpoint = SentinelEndpoint(
            "mymaster",
            lambda: [Client(self.clock, sentinel) for sentinel in sentinels],
            lambda host, port: Server((host, port), self.refuses),
        )
        verifyObject(IStreamClientEndpoint, endpoint)
        return endpoint.connect(Factory())

    def test_first_that_answers(self) -> None:
        """One that is away, or knows nothing, is passed over; the rest is not asked."""
        away = Sentinel(["10.0.0.9", "1"], size=0)
        failing, empty = Sentinel(ResponseError("x")), Sentinel(None)
        knows, rest = Sentinel(["10.0.0.1", "6379"]), Sentinel(["10.0.0.2", "1"])
        done = self.connect(away, failing, empty, knows, rest)
        self.clock.pump([0.1] * 20)
        self.assertEqual(self.successResultOf(done), ("10.0.0.1", 6379))
        self.assertEqual((knows.asked, rest.asked), (["mymaster"], []))
        for sentinel in (away, failing, empty, knows, rest):
            self.assertEqual(sentinel.begun, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody_knows(self) -> None:
        """Then connecting fails, and says for which group."""
        failure = self.failureResultOf(self.connect(Sentinel(None)), ConnectError)
        self.assertIn("mymaster", str(failure.value))

    def test_nonsense(self) -> None:
        """What is no address is none."""
        for answer in ("x", ["a"], ["a", "b"], ["a", "1", "2"], 7):
            self.failureResultOf(self.connect(Sentinel(answer)), ConnectError)

    def test_master_refuses(self) -> None:
        """Connecting fails as the master does."""
        self.refuses = True
        done = self.connect(Sentinel(["10.0.0.1", "1"]))
        self.failureResultOf(done, Refused)

    def test_left(self) -> None:
        """Cancelling ends the question."""
        away = Sentinel(None, size=0)
        done = self.connect(away)
        done.cancel()
        self.failureResultOf(done)
        self.assertEqual(away.begun, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
