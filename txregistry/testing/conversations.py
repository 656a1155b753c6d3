"""What clients ask of a house, and all that moves until they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from txregistry.flow.bytes_body import SmallBody
from txregistry.testing.answers import Got, read_answer
from txregistry.testing.wire import Wire

T = TypeVar("T")

REGISTRY = "http://registry.example"

#: Steps of the clock after which something that has not happened never will.
_STEPS = 20_000


class Conversations:
    """Clients of a cache and of a registry, on a clock that they move.

    :ivar wire: to the cache.
    :ivar registry_wire: to the complete registry.
    :ivar upstream_wire: from the cache to its upstream.
    :ivar further_wires: to other upstreams.
    """

    clock: Clock
    wire: Wire
    upstream_wire: Wire
    registry_wire: Wire
    further_wires: Sequence[Wire]

    def pump(self) -> None:
        """Move all bytes that are waiting, on all wires."""
        wires = self.wire, self.upstream_wire, self.registry_wire, *self.further_wires
        while any(wire.pump() for wire in wires):
            pass

    def settle(self, done: Deferred[T], step: float = 0.05) -> T:
        """Move bytes and time until a Deferred fires; give its result.

        :raise Exception: what it failed with.
        """
        results: list[Any] = []
        done.addBoth(results.append)
        for _ in range(_STEPS):
            self.pump()
            if results:
                break
            self.clock.advance(step)
        else:
            raise AssertionError("it never happens")
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]  # type: ignore[no-any-return]

    def ask(self, method: str, path: str, **headers: str) -> Deferred[Got]:
        """Send a request as a client; fires when the answer has ended."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = HTTPClient(self.wire).request(
            method,
            f"http://cache.example{path}",
            headers=named,  # type: ignore[arg-type]
            unbuffered=True,
            allow_redirects=False,
        )
        return asked.addCallback(read_answer)

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> Got:
        """Send a request to the complete registry, letting time pass as it needs.

        :param path: or the whole URL that an answer gave.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path = path.removeprefix(REGISTRY)
        asked = HTTPClient(self.registry_wire).request(
            method,
            f"{REGISTRY}{path}",
            headers=named,  # type: ignore[arg-type]
            data=None if body is None else SmallBody(body),
            unbuffered=True,
            allow_redirects=False,
        )
        got: Got = self.settle(asked.addCallback(read_answer))
        return got

    def get(self, path: str, **headers: str) -> Got:
        """Fetch a path, letting as much time pass as it takes."""
        return self.settle(self.ask("GET", path, **headers))

    def head(self, path: str, **headers: str) -> Got:
        """Ask for the head of a path."""
        return self.settle(self.ask("HEAD", path, **headers))
