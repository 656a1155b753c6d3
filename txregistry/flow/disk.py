"""Run blocking functions off the reactor thread, on a bounded thread pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from txregistry.flow.context import in_context

T = TypeVar("T")


class Disk(Protocol):
    """Runs blocking functions."""

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """Call ``work(*args)``.

        :return: fires with what it returns, or fails with what it raises.
        """


@attrs.define(eq=False, slots=False)
class DiskPool(Service):
    """A thread pool as a service; jobs run in the context of whoever asks for them.

    Each stream has at most one job in it, so the number of connections bounds the
    queue. Cancelling fails the Deferred at once; a function that has started runs to
    its end, and its result is dropped.
    """

    _reactor: IReactorFromThreads
    _pool: ThreadPool

    @classmethod
    def create(
        cls, reactor: IReactorFromThreads, threads: int, pool_name: str
    ) -> DiskPool:
        """Create a pool of at most this many threads."""
        return cls(reactor, ThreadPool(0, threads, pool_name))

    def startService(self) -> None:
        """Start accepting jobs."""
        super().startService()
        self._pool.start()

    def stopService(self) -> None:
        """Wait for running jobs; they are short, single reads and writes."""
        super().stopService()
        self._pool.stop()

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """Run a blocking function on a thread of the pool.

        :return: fires with its result, or fails with what it raises, in the reactor
            thread.
        """
        return deferToThreadPool(self._reactor, self._pool, in_context(work), *args)


class InlineDisk:
    """Runs functions synchronously in the caller's thread, for tests and memory."""

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """Run the function now; the Deferred has fired."""
        return maybeDeferred(work, *args)
