"""A request whose body is read on demand, at a minimum rate."""

from __future__ import annotations

from typing import Any, cast
from weakref import ref

from txregistry.web.http.body import Body
from txregistry.web.http.connections import SiteContext, body_producer, expects_continue
from txregistry.web.http.pace import Pace
from txregistry.web.http.peers import PeerRequest
from txregistry.web.http.twisted_private import send_continue

#: Bytes of an unread body to drop after the answer; if more is left, the connection is
#: closed.
MAX_DROPPED_BYTES = 1024 * 1024


class _NullSpool:
    """Replaces the file in which twisted.web spools a body."""

    def write(self, data: bytes) -> None:
        return None

    def close(self) -> None:
        return None


class BodyRequest(PeerRequest):
    """A request with a body; the source that its :class:`Body` pauses and resumes.

    :ivar body: the body of the request.
    :ivar is_answered: the answer is complete: the client is not asked to send a body.
    """

    body: Body
    is_answered = False
    _pace: Pace | None = None

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        # Replaced by gotLength, unless the head never becomes complete.
        self.body = Body(ref(self), 0, complete=True)

    def gotLength(self, length: int | None) -> None:
        """Set the length of the body; called when the head is complete."""
        self.body = Body(ref(self), length, complete=length == 0)
        self.content = cast(Any, _NullSpool())

    def handleContentChunk(self, data: bytes) -> None:
        """Feed bytes to the body."""
        self.body.feed(data)

    def measure_pace(self, min_rate: float, now: float) -> None:
        """Prepare to measure the rate of the body, while it is being read."""
        if not self.body.complete:
            self._pace = Pace(min_rate, now)

    def count_body_bytes(self, size: int) -> None:
        """Count bytes of the body on the wire, for its minimum rate."""
        if self._pace is not None:
            self._pace.count(size)

    def is_slow(self, now: float) -> bool:
        """Tell whether the body arrives below the minimum rate."""
        if self._pace is None or self.body.complete:
            return False
        return self._pace.is_slow(now)

    def pause_body(self) -> None:
        """Stop reading from the client."""
        if self._pace is not None:
            self._pace.pause(cast(SiteContext, self.site).clock.seconds())
        if self.channel is not None:
            body_producer(self.channel).pauseProducing()

    def resume_body(self) -> None:
        """Read from the client; answer ``Expect: 100-continue`` first."""
        if self.channel is None:
            return
        if self._pace is not None:
            self._pace.resume(cast(SiteContext, self.site).clock.seconds())
        if not self.is_answered and expects_continue(self):
            # Without the header the client is not sent 100 a second time.
            self.requestHeaders.removeHeader(b"Expect")
            send_continue(self.channel)
        body_producer(self.channel).resumeProducing()

    def has_large_rest(self) -> bool:
        """Tell whether the rest of the body is too long to read and drop."""
        if self.body.complete:
            return False
        rest = (self.body.content_length or 0) - self.body.received
        return expects_continue(self) or rest > MAX_DROPPED_BYTES
