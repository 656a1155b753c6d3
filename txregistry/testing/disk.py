"""A disk whose jobs run when the test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred, maybeDeferred

T = TypeVar("T")

Job = tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]


@attrs.define(eq=False)
class QueueDisk:
    """One thread with its queue, as :class:`DiskPool` has it.

    The Deferred of a job that is cancelled fails at once; the job runs all the same.
    """

    jobs: list[Job] = attrs.field(factory=list)

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """Put a job into the queue."""
        done: Deferred[T] = Deferred()
        self.jobs.append((done, work, args))
        return done

    def step(self) -> None:
        """Do the first job."""
        done, work, args = self.jobs.pop(0)
        maybeDeferred(work, *args).addBoth(done.callback)

    def settle(self) -> None:
        """Do all jobs, and those that come of them."""
        while self.jobs:
            self.step()
