"""Waiting between attempts: a generator of seconds, and its runner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from txregistry.flow.deferred import deferred

T = TypeVar("T")


def backoff(
    attempts: int, first: float, most: float, jitter: Callable[[], float]
) -> Iterator[float]:
    """Give the seconds to wait before each further attempt.

    :param attempts: how many further ones there may be.
    :param first: seconds before the first of them; doubled each time up to ``most``.
    :param jitter: gives a number from 0 to 1; half of each wait is random, so that
        many clients of one upstream do not return together.
    """
    for attempt in range(attempts):
        ceiling: float = min(most, first * 2**attempt)
        yield ceiling * (0.5 + 0.5 * jitter())


@deferred
async def retry(
    clock: IReactorTime,
    delays: Iterable[float],
    attempt: Callable[[], Deferred[T]],
    again: Callable[[BaseException, float], float | None],
) -> T:
    """Attempt something until it succeeds, the delays end or ``again`` declines.

    :param again: given the error and the next planned delay, the seconds really to
        wait, or ``None`` to give up.
    :return: fires with the first success; fails with the last error.
    """
    remaining = iter(delays)
    while True:
        try:
            return await attempt()
        except Exception as error:
            planned = next(remaining, None)
            wait = None if planned is None else again(error, planned)
            if wait is None:
                raise
        await deferLater(clock, wait)
