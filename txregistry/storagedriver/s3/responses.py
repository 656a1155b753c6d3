"""Responses of a store, as Twisted's client gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse

from txregistry.flow.collected import BodyCollector, BodyCut
from txregistry.flow.deferred import deferred
from txregistry.flow.streams import TooLong, Watchdog
from txregistry.storagedriver.s3.pace import PROGRESS_BYTES, AnswerPace
from txregistry.storagedriver.s3.request import StoreUnreachable


def headers_of(response: IResponse) -> Mapping[str, str]:
    """Give the headers of an answer, by their names in lower case."""
    return {
        name.decode("latin-1").lower(): values[-1].decode("latin-1")
        for name, values in response.headers.getAllRawHeaders()
    }


def known_length(response: IResponse) -> int:
    """Give how long a body is.

    :raise StoreUnreachable: the store does not say; it always should.
    """
    length = response.length
    if not isinstance(length, int):
        drop(response)
        raise StoreUnreachable("an object without a length")
    return length


def why(error: object) -> str:
    """Tell why a connection failed, as one sentence."""
    inner = getattr(error, "reasons", None)
    if inner:
        last = inner[-1]
        return why(last.value if isinstance(last, Failure) else last)
    return str(error) or type(error).__name__


def was_cancelled(error: object) -> bool:
    """Tell if an agent's error stands for a cancellation, which it wraps."""
    if isinstance(error, Failure):
        error = error.value
    inner = getattr(error, "reasons", ())
    return isinstance(error, CancelledError) or any(map(was_cancelled, inner))


@deferred
async def collected(
    response: IResponse,
    watchdog: Watchdog,
    max_bytes: int,
    progress: int = PROGRESS_BYTES,
) -> bytes:
    """Read a body; fails with ``StoreUnreachable`` if it breaks off or is too long.

    :param watchdog: is armed as bytes come; see :class:`AnswerPace`.
    """
    pace = AnswerPace(watchdog, progress)
    pace.begin()
    try:
        return await BodyCollector(max_bytes, pace.came).collect(response)
    except TooLong as error:
        raise StoreUnreachable("the answer broke off: it is too long") from error
    except BodyCut as error:
        reason = why(error.__cause__)
        raise StoreUnreachable(f"the answer broke off: {reason}") from error


class _Dropped(Protocol):
    """Closes the connection of a body that nobody wants."""

    def connectionMade(self) -> None:
        cast(Any, self.transport).stopProducing()


def drop(response: IResponse) -> None:
    """Forget an answer whose body was not read."""
    response.deliverBody(_Dropped())
