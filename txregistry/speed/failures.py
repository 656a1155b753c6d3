"""Deferreds that have failed, without reference cycles.

Note [Failures that are awaited]. Awaiting a Deferred that has failed raises its
exception through two frames of Twisted that hold the Failure, which holds the
exception, which holds the frames: a cycle for each function that the error passes, with
all that their frames hold, a request's body among it. Only the cycle collector frees
it, and errors are frequent: "not found" is one. What fails at once, fails with
:func:`failed`, which leaves no such cycle.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txregistry.speed.twisted_private import hold_failure, mark_failure_seen

T = TypeVar("T")


class _Failed(Deferred[T]):
    """A Deferred whose frame holds nothing when it has raised."""

    def __init__(self, failure: Failure) -> None:
        super().__init__()
        hold_failure(self, failure)

    def __await__(self) -> Generator[Deferred[T], None, T]:
        failure = getattr(self, "result", None)
        if self.paused or not isinstance(failure, Failure):
            return super().__await__()
        mark_failure_seen(self)
        try:
            raise cast(BaseException, failure.value).with_traceback(failure.tb)
        finally:
            del self, failure


def failed(error: BaseException | Failure) -> Deferred[Any]:
    """Give a Deferred that has failed; see Note [Failures that are awaited]."""
    return _Failed(error if isinstance(error, Failure) else Failure(error))
