"""Coroutines inside, Deferreds outside; and work that several callers share.

Note [Failures that are awaited]. Whoever awaits a Deferred that has failed gets its
exception by way of two frames of Twisted's that hold the Failure, which holds the
exception, which holds the frames: a circle for each layer that an error goes through,
with all that these frames hold. Nothing is lost, but only the cycle collector frees it,
and errors are everyday: that something is not there is one. It stopped all requests
for some milliseconds several times a second. So what fails at once, fails with
:func:`failed`, which leaves no such circle.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Hashable, Sequence
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, cast

import attrs
from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.twisted_private import hold_failure, mark_failure_seen
from txregistry.flow.waiters import Waiters

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def deferred(
    function: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Deferred[T]]:
    """Publish a coroutine function as one that returns a Deferred.

    Cancelling the Deferred cancels what the coroutine awaits. Up to where it first
    waits it runs at once, in the context of its caller.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        coroutine = function(*args, **kwargs)
        try:
            awaited = coroutine.send(None)
        except StopIteration as done:
            # Most have nothing to wait for: the machinery of waiting is spared.
            return succeed(done.value)
        except BaseException as error:
            return failed(error)
        return Deferred.fromCoroutine(_go_on(coroutine, awaited))

    return call


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


def _go_on(
    coroutine: Coroutine[Any, Any, T], awaited: Any
) -> Generator[Deferred[Any], Any, T]:
    """Give what is left of a coroutine that has begun to wait."""
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


def shielded(
    work: Coroutine[Any, Any, T], on_orphan_failure: Callable[[Failure], None]
) -> Deferred[T]:
    """Wait for work that goes on to its end whoever waits for it.

    :param on_orphan_failure: is given the failure of work that nobody waits for any
        more.
    :return: fires and fails as the work does. Cancelling only stops waiting.
    """
    waiter: Deferred[T] = Deferred()

    def settle(result: T | Failure) -> None:
        if not waiter.called:
            waiter.callback(result)
        elif isinstance(result, Failure):
            on_orphan_failure(result)

    Deferred.fromCoroutine(work).addBoth(settle)
    return waiter


@attrs.define(eq=False)
class _Flight(Generic[T]):
    """One piece of work and everybody who waits for it."""

    waiters: Waiters[T] = attrs.field(factory=Waiters)
    work: Deferred[T] | None = None


@attrs.define(eq=False)
class Flights(Generic[K, T]):
    """Single flight: one piece of work per key, one Deferred per waiter.

    A waiter that is cancelled harms nobody; when the last one leaves, the work
    itself is cancelled.
    """

    _flights: dict[K, _Flight[T]] = attrs.field(factory=dict)

    def is_under_way(self, key: K) -> bool:
        """Tell whether joining would share work that has begun."""
        return key in self._flights

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: K, start: Callable[[], Deferred[T]]) -> Deferred[T]:
        """Wait for the work of this key, starting it if nobody has.

        :return: fires with the work's result, or fails as it does.
        """
        flight = self._flights.get(key)
        begin = flight is None
        if flight is None:
            flight = self._flights[key] = _Flight()
        waiter = flight.waiters.wait(lambda: self._leave(key, flight))
        if begin:
            flight.work = start()
            flight.work.addBoth(lambda result: self._land(key, flight, result))
        return waiter

    def _leave(self, key: K, flight: _Flight[T]) -> None:
        if not flight.waiters and self._flights.get(key) is flight:
            del self._flights[key]
            if flight.work is not None:
                flight.work.cancel()

    def _land(self, key: K, flight: _Flight[T], result: T | Failure) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.waiters.fire(result)


@attrs.define(eq=False)
class KeyedLocks(Generic[K]):
    """A lock per key; locks nobody holds or awaits take no memory.

    Work that has begun goes on to its end, and holds its lock until then, though nobody
    waits for it any more: what a thread has begun to do it does as well.
    """

    _locks: dict[K, DeferredLock] = attrs.field(factory=dict)
    _log = Logger()

    def run(self, key: K, work: Callable[[], Deferred[T]]) -> Deferred[T]:
        """Do work while holding the key's lock.

        :return: fires and fails as the work does. Cancelled while waiting, it
            never begins; after that, cancelling only stops waiting.
        """
        lock = self._locks.setdefault(key, DeferredLock())
        acquiring = lock.acquire()
        waiter: Deferred[T] = Deferred(lambda _: acquiring.cancel())

        def begin(_: DeferredLock) -> None:
            maybeDeferred(work).addBoth(end)

        def end(result: T | Failure) -> None:
            lock.release()
            settle(result)

        def settle(result: T | Failure) -> None:
            self._tidy(key, lock)
            if not waiter.called:
                waiter.callback(result)
            elif isinstance(result, Failure):
                self._log.failure("what nobody waits for any more has failed", result)

        acquiring.addCallbacks(begin, settle)
        return waiter

    def run_all(
        self, keys: Sequence[K], work: Callable[[], Deferred[T]]
    ) -> Deferred[T]:
        """Do work while holding the locks of several keys, taken in their order.

        :param keys: each once, and in an order that is the same for everybody.
        """
        if not keys:
            return work()
        return self.run(keys[0], lambda: self.run_all(keys[1:], work))

    def settle(self, key: K) -> Deferred[None]:
        """Wait until nobody holds the key's lock who holds it now."""
        if key not in self._locks:
            return succeed(None)
        return self.run(key, lambda: succeed(None))

    def _tidy(self, key: K, lock: DeferredLock) -> None:
        if not lock.locked and not lock.waiting and self._locks.get(key) is lock:
            del self._locks[key]
