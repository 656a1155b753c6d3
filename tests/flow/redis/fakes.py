"""Redis in memory, with its scripts: the real client over the commands of fakeredis."""

from __future__ import annotations

from typing import Any

import attrs
from fakeredis import FakeServer, FakeStrictRedis
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock

from txregistry.flow.redis.client import Redis, RedisSettings


@attrs.define(eq=False)
class ScriptCommands:
    """Commands as txredisapi has them.

    :ivar longest: bytes of the longest answer so far.
    """

    server: FakeServer = attrs.field(factory=FakeServer)
    longest: int = 0
    client: FakeStrictRedis = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.client = FakeStrictRedis(server=self.server, decode_responses=True)

    def eval(self, script: str, keys: list[str], args: list[str]) -> Deferred[Any]:
        done = maybeDeferred(self.client.eval, script, len(keys), *keys, *args)
        return done.addCallback(self._measure)

    def _measure(self, answer: Any) -> Any:
        words = answer if isinstance(answer, list) else [answer]
        # Each word of an answer has its length before it, and ends of lines.
        self.longest = max(self.longest, sum(len(str(word)) + 8 for word in words))
        return answer


@attrs.define(eq=False)
class Connected:
    """Connections that are there until ``size`` is 0."""

    handler: ScriptCommands
    size: int = 1

    def startConnecting(self, endpoint: Any) -> None:
        """Be connected already."""

    def abort(self) -> Deferred[None]:
        self.size = 0
        return succeed(None)


class ScriptedRedis(Redis):
    """One node's client; nodes with the same server share what it holds."""

    def __init__(self, clock: Clock, server: FakeServer | None = None) -> None:
        self.connected = Connected(ScriptCommands(server or FakeServer()))
        super().__init__("endpoint", RedisSettings(), clock)
        self.startService()

    def _make_factory(self) -> Any:
        return self.connected
