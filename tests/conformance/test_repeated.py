"""Every case on kept connections, where what is asked again is answered again.

Each GET and HEAD that the registry might answer from what it keeps ready is sent three
times: the answers have to be equal to the byte, and the case has to hold of the last.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer

from tests.conformance.cases import CASES
from tests.conformance.client import AgentClient, Fields, Response
from tests.conformance.form import Case
from tests.conformance.test_wire import add_cases, client_of, finish, house_of
from tests.web.raw import Line
from txregistry.testing.conversations import REGISTRY
from txregistry.testing.house import TestHouse

#: Answers that were given again.
REPEATED: list[bytes] = []


@attrs.define(eq=False)
class InsistentClient:
    """Sends each GET and HEAD three times on one connection."""

    _house: TestHouse
    _other: AgentClient
    name: str

    def request(
        self,
        method: str,
        path: str,
        body: bytes | IBodyProducer | None = None,
        headers: Fields | None = None,
    ) -> Awaitable[Response]:
        """Ask, and compare the answers."""
        if method not in ("GET", "HEAD") or body is not None:
            return self._other.request(method, path, body, headers)
        return self._insist(method, path.removeprefix(REGISTRY), headers or {})

    async def _insist(self, method: str, path: str, headers: Fields) -> Response:
        lines = [f"{method} {path} HTTP/1.1", "Host: registry.example"]
        for name, values in headers.items():
            given = [values] if isinstance(values, str) else values
            lines += [f"{name}: {value}" for value in given]
        head = "\r\n".join((*lines, "", "")).encode()
        line, got = Line(self._house), []
        for _ in range(3):
            line.received = b""
            line.send(head)
            got.append(line.received)
        assert got[0], f"no answer to {lines[0]}"
        if not line.closed:
            assert _same(got), f"{got[0]!r}, then {got[1:]!r}"
        return _read(got[0] if line.closed else got[-1], method)


def _same(got: list[bytes]) -> bool:
    """Tell whether answers are equal; several ranges have a random boundary."""
    return b"boundary=" in got[0] or got[0] == got[1] == got[2]


def _read(received: bytes, method: str) -> Response:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = Headers()
    for text in lines:
        name, _, value = text.partition(": ")
        headers.addRawHeader(name, value)
    length = headers.getRawHeaders("Content-Length")
    announced = int(length[0]) if length else None
    if method != "HEAD" and announced is not None:
        body = body[:announced]
    return Response(int(first.split(" ")[1]), headers, body, announced)


def run(case: Case) -> None:
    """Run a case to its end."""
    house = house_of(case.setting)
    tell = house.registry.answered_again

    def answered_again(answer: Any, peer: str) -> None:
        REPEATED.append(answer.data)
        tell(answer, peer)

    house.registry.answered_again = answered_again  # type: ignore[method-assign]
    other = client_of(house, case)
    finish(case, InsistentClient(house, other, case.repository))


class RepeatedTests(SynchronousTestCase):
    """What the table says of a registry that repeats its answers."""

    def test_some_are_repeated(self) -> None:
        """The cases do try what this module is about."""
        run(next(case for case in CASES if case.name.endswith("get_base")))
        self.assertGreater(len(REPEATED), 1)


add_cases(RepeatedTests, run)
