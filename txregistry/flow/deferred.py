"""Coroutines inside, Deferreds outside."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txregistry.flow.context import in_context
from txregistry.speed.coroutines import start

P = ParamSpec("P")
T = TypeVar("T")


def deferred(
    function: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Deferred[T]]:
    """Publish a coroutine function as one that returns a Deferred.

    Cancelling the Deferred cancels what the coroutine awaits. Up to where it first
    waits it runs at once, in the context of its caller.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return start(function(*args, **kwargs))

    return call


def shielded(
    work: Coroutine[Any, Any, T], on_orphan_failure: Callable[[Failure], None]
) -> Deferred[T]:
    """Wait for work that goes on to its end whoever waits for it.

    :param on_orphan_failure: is given the failure of work that nobody waits for any
        more.
    :return: fires and fails as the work does. Cancelling only stops waiting.
    """
    waiter: Deferred[T] = Deferred()
    tell = in_context(on_orphan_failure)

    def settle(result: T | Failure) -> None:
        if not waiter.called:
            waiter.callback(result)
        elif isinstance(result, Failure):
            tell(result)

    Deferred.fromCoroutine(work).addBoth(settle)
    return waiter


def kept_open(opening: Deferred[T], close: Callable[[T], object]) -> Deferred[T]:
    """Wait for something that is opened on another thread.

    :param close: is given what nobody waits for any more.
    :return: fires and fails as ``opening`` does. Cancelling only stops waiting.
    """
    waiter: Deferred[T] = Deferred()

    def opened(result: T | Failure) -> None:
        if not waiter.called:
            waiter.callback(result)
        elif not isinstance(result, Failure):
            close(result)

    opening.addBoth(opened)
    return waiter
