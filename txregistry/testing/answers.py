"""What a client of a test got."""

from __future__ import annotations

from typing import Any

import attrs
import treq
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


@attrs.define(eq=False)
class Got:
    """What a client got: a status, headers, and a body, whole or not.

    :ivar length: the announced length, if there was one.
    """

    status: int
    headers: Any
    body: bytes
    length: object
    broken: bool = False

    def header(self, name: str) -> str | None:
        """Give a header's last value."""
        values = self.headers.getRawHeaders(name)
        return values[-1] if values else None


def read_answer(response: Any) -> Deferred[Got]:
    """Read a body; fires when it has ended, whole or not."""
    chunks: list[bytes] = []

    def whole(_: None) -> Got:
        body = b"".join(chunks)
        return Got(response.code, response.headers, body, response.length)

    def broken(failure: Failure) -> Got:
        body = b"".join(chunks)
        return Got(response.code, response.headers, body, response.length, True)

    done: Deferred[None] = treq.collect(response, chunks.append)
    return done.addCallbacks(whole, broken)
