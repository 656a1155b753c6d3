"""Retries with exponential backoff."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from txregistry.flow.deferred import deferred

T = TypeVar("T")


def backoff(
    attempts: int, first: float, max_delay: float, jitter: Callable[[], float]
) -> Iterator[float]:
    """Yield the seconds to wait before each retry.

    :param attempts: the number of retries.
    :param first: seconds before the first retry; doubled each time up to ``max_delay``.
    :param jitter: returns a number from 0 to 1; half of each delay is random, so that
        many clients of one upstream do not retry at the same time.
    """
    for attempt in range(attempts):
        ceiling: float = min(max_delay, first * 2**attempt)
        yield ceiling * (0.5 + 0.5 * jitter())


@deferred
async def retry(
    clock: IReactorTime,
    delays: Iterable[float],
    attempt: Callable[[], Deferred[T]],
    next_delay: Callable[[BaseException, float], float | None],
) -> T:
    """Call ``attempt`` until it succeeds, no delay is left or ``next_delay`` gives up.

    :param next_delay: called with the error and the planned delay; returns the seconds
        to wait before the retry, or ``None`` to give up.
    :return: fires with the first success; fails with the last error.
    """
    remaining = iter(delays)
    while True:
        try:
            return await attempt()
        except Exception as error:
            planned = next(remaining, None)
            wait = None if planned is None else next_delay(error, planned)
            if wait is None:
                raise
        await deferLater(clock, wait)
