"""A redis that may be away: asked with a limit, and left alone after it has failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, FirstError, maybeDeferred
from twisted.internet.defer import TimeoutError as AnswerTimeout
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import RedisError

from txregistry.flow.deferred import deferred
from txregistry.storage.caches.txredisapi_private import (
    RedisConnections,
    commands_of,
    is_connected,
)

T = TypeVar("T")

#: How long a redis that has failed is not asked again.
RETRY_SECONDS = 10.0

#: Each answers any number of questions at a time.
CONNECTIONS = 2

#: Between two looks whether it is there.
_LOOK_SECONDS = 0.05


class RedisAway(Exception):
    """Redis cannot be asked now."""


@attrs.frozen
class RedisSettings:
    """How redis is asked.

    :ivar user: of its access list; empty for the default one.
    :ivar answer_seconds: in which it has to answer.
    """

    user: str = ""
    password: str = attrs.field(default="", repr=False)
    database: int = 0
    connections: int = CONNECTIONS
    answer_seconds: float = 3.0


@attrs.define(eq=False, slots=False)
class Redis(Service):
    """Keeps connections, from the start of the service to its end."""

    _endpoint: IStreamClientEndpoint
    _settings: RedisSettings
    _clock: IReactorTime
    _factory: Any = None
    _retry_at: float = 0.0
    _log = Logger()

    def startService(self) -> None:
        """Begin to connect; nobody waits for it."""
        super().startService()
        self._factory = self._make_factory()
        self._factory.startConnecting(self._endpoint)

    def stopService(self) -> Deferred[None]:
        """Close the connections."""
        super().stopService()
        factory, self._factory = self._factory, None
        done: Deferred[None] = factory.abort()
        return done

    @deferred
    async def ready(self) -> None:
        """Fire when redis is connected, or when it has had its time for that."""
        until = self._clock.seconds() + self._settings.answer_seconds
        while not self._can_answer() and self._clock.seconds() < until:
            await deferLater(self._clock, _LOOK_SECONDS)

    @deferred
    async def ask(self, question: Callable[[Any], Deferred[T]]) -> T:
        """Ask something.

        :param question: is given commands by name, as txredisapi has them.
        :return: fires with the answer. Fails with ``RedisAway``, at once if redis is
            not connected or has failed lately.
        """
        if not self._can_answer():
            raise RedisAway()
        asked = maybeDeferred(question, commands_of(self._factory)).addErrback(_unwrap)
        asked.addTimeout(self._settings.answer_seconds, self._clock)
        try:
            return await asked
        except (RedisError, AnswerTimeout, ConnectionClosed) as error:
            self._leave_alone(error)
            raise RedisAway() from error

    def _can_answer(self) -> bool:
        # Without a connection its library would wait for one, however long.
        connected = self._factory is not None and is_connected(self._factory)
        return connected and self._clock.seconds() >= self._retry_at

    def _leave_alone(self, error: Exception) -> None:
        self._retry_at = self._clock.seconds() + RETRY_SECONDS
        self._log.warn(
            "redis has failed and is not asked for {seconds:g} s: {error}",
            seconds=RETRY_SECONDS,
            error=str(error) or type(error).__name__,
        )

    def _make_factory(self) -> Any:
        settings = self._settings
        factory = RedisConnections(
            "descriptors",
            settings.database or None,
            settings.connections,
            isLazy=True,
            password=settings.password or None,
            # A connection on which an answer is missing is of no more use.
            replyTimeout=settings.answer_seconds,
            convertNumbers=False,
            username=settings.user or None,
        )
        # Fires or fails when all connections are there, which nobody waits for.
        factory.deferred.addErrback(self._refused)
        return factory

    def _refused(self, failure: Failure) -> None:
        self._log.error(
            "redis does not let us in, and is tried again: {error}",
            error=failure.getErrorMessage(),
        )


def _unwrap(failure: Failure) -> Failure:
    """Give what one of several questions failed with."""
    first = failure.value
    return first.subFailure if isinstance(first, FirstError) else failure
