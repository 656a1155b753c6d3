"""Coroutines that have nothing to wait for run without the machinery of waiting."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar, cast

from twisted.internet.defer import Deferred, succeed

from txregistry.speed.failures import failed

T = TypeVar("T")


def start(coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """Run a coroutine up to where it first waits, in the context of the caller.

    :return: fires and fails as the coroutine does. Cancelling it cancels what the
        coroutine awaits. The same as ``Deferred.fromCoroutine``, which makes a
        generator, a context and three frames also for one that never waits.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration as done:
        return succeed(done.value)
    except BaseException as error:
        return failed(error)
    return Deferred.fromCoroutine(_resume(coroutine, awaited))


def _resume(
    coroutine: Coroutine[Any, Any, T], awaited: Any
) -> Generator[Deferred[Any], Any, T]:
    """Run what is left of a coroutine that has begun to wait."""
    return (yield from _Begun(coroutine, awaited))


class _Begun(Generic[T]):
    """A coroutine that has begun, as what ``yield from`` takes."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], awaited: Any) -> None:
        self._awaited: Any = awaited
        self.send = coroutine.send
        self.throw = coroutine.throw
        self.close = coroutine.close

    def __iter__(self) -> Generator[Any, Any, T]:
        return cast("Generator[Any, Any, T]", self)

    def __next__(self) -> Any:
        awaited, self._awaited = self._awaited, None
        return self.send(None) if awaited is None else awaited
