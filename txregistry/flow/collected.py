"""Read a small body of a response into memory, up to a limit."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse

from txregistry.flow.streams import TooLong


class BodyCut(Exception):
    """A body ended before it was whole; the cause is how its connection ended."""


def _nobody(count: int) -> None:
    """Tell nobody how many bytes have come."""


@attrs.define(eq=False, slots=False)
class BodyCollector(Protocol):
    """Collects one body. It has no limit in time: who has one calls :meth:`fail`.

    When it has ended it holds nothing, as its connection may keep it for long.

    :param came: is told how many bytes have come, piece by piece.
    """

    _max_bytes: int
    _came: Callable[[int], object] = _nobody
    _length: int | None = None
    _pieces: list[bytes] = attrs.field(factory=list)
    _size: int = 0
    _done: Deferred[bytes] | None = None

    def collect(self, response: IResponse) -> Deferred[bytes]:
        """Read all of a body; call once.

        :return: fires with it. Fails with ``TooLong`` as soon as there are more than
            ``max_bytes``, with :class:`BodyCut`, or with what :meth:`fail` is given.
            Cancelling closes the connection.
        """
        done: Deferred[bytes] = Deferred(self._cancelled)
        self._done = done
        self._length = response.length if isinstance(response.length, int) else None
        response.deliverBody(self)
        return done

    def fail(self, error: Exception) -> None:
        """Close the connection, and fail; one that has ended stays as it is."""
        done = self._leave()
        if done is not None:
            done.errback(error)

    def dataReceived(self, data: bytes) -> None:
        """Keep a piece."""
        if self._done is None:
            return
        self._size += len(data)
        if self._size > self._max_bytes:
            self.fail(TooLong(f"more than {self._max_bytes} bytes"))
            return
        self._pieces.append(data)
        self._came(len(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Decide whether the body is whole."""
        content = b"".join(self._pieces)
        done = self._detach()
        if done is None:
            return
        if self._is_whole(reason):
            done.callback(content)
        else:
            error = BodyCut(reason.value)
            error.__cause__ = reason.value
            done.errback(error)

    def _cancelled(self, _: Deferred[bytes]) -> None:
        self._leave()

    def _leave(self) -> Deferred[bytes] | None:
        done = self._detach()
        if done is not None and self.transport is not None:
            self.transport.loseConnection()
        return done

    def _detach(self) -> Deferred[bytes] | None:
        done, self._done, self._pieces = self._done, None, []
        return done

    def _is_whole(self, reason: Failure) -> bool:
        if reason.check(PotentialDataLoss):
            # It ended with the connection, so its length has to agree.
            return self._length is None or self._length == self._size
        return reason.check(ResponseDone) is not None
