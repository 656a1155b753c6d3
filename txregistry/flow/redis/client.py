"""A redis that may be down: asked with a time limit, and not asked after a failure."""

from __future__ import annotations

import re
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

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.redis.txredisapi_private import (
    RedisConnections,
    commands_of,
    is_connected,
)

T = TypeVar("T")

#: What is in the error of a server that takes no writes: a replica. Before Redis 7 an
#: error in a script does not begin with it.
_REPLICA = re.compile(r"\b(READONLY|MASTERDOWN) ")

#: Seconds for which redis is not asked after a failure.
RETRY_SECONDS = 10.0

#: Connections; each answers any number of questions at a time.
CONNECTIONS = 2

#: Seconds between two checks whether redis is connected.
_LOOK_SECONDS = 0.05


class RedisAway(Exception):
    """Redis cannot be asked now."""


@attrs.frozen
class RedisSettings:
    """How redis is asked.

    :ivar user: a user of redis's access list; empty for the default one.
    :ivar answer_seconds: time limit of one answer.
    """

    user: str = ""
    password: str = attrs.field(default="", repr=False)
    database: int = 0
    connections: int = CONNECTIONS
    answer_seconds: float = 3.0


@attrs.define(eq=False, slots=False)
class Redis(Service):
    """Connections to redis, open from the start of the service to its end."""

    _endpoint: IStreamClientEndpoint
    _settings: RedisSettings
    _clock: IReactorTime
    _factory: Any = None
    _retry_at: float = 0.0
    _log = Logger()

    def startService(self) -> None:
        """Begin to connect, without waiting for it."""
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
        """Fire when redis is connected, or when the time limit for that has passed."""
        until = self._clock.seconds() + self._settings.answer_seconds
        while not self._can_answer() and self._clock.seconds() < until:
            await deferLater(self._clock, _LOOK_SECONDS)

    @deferred
    async def ask(self, question: Callable[[Any], Deferred[T]]) -> T:
        """Ask something.

        :param question: called with an object that has the commands as methods, as in
            txredisapi.
        :return: fires with the answer. Fails with ``RedisAway``, at once if redis is
            not connected or failed recently.
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
        # Without a connection the library would wait for one without a limit.
        connected = self._factory is not None and is_connected(self._factory)
        return connected and self._clock.seconds() >= self._retry_at

    def _leave_alone(self, error: Exception) -> None:
        if _REPLICA.search(str(error)):
            # The master is another server now.
            self._factory.reconnect()
        self._retry_at = self._clock.seconds() + RETRY_SECONDS
        self._log.warn(
            "redis failed and is not asked for {seconds:g} s: {error}",
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
            # A connection with a missing answer cannot be used any more.
            replyTimeout=settings.answer_seconds,
            convertNumbers=False,
            username=settings.user or None,
        )
        # Fires or fails when all connections are open; the result is not used.
        factory.deferred.addErrback(self._refused)
        return factory

    @background("redis")
    def _refused(self, failure: Failure) -> None:
        self._log.error(
            "login to redis failed, retrying: {error}",
            error=failure.getErrorMessage(),
        )


def _unwrap(failure: Failure) -> Failure:
    """Give the error of the question that failed, out of several."""
    first = failure.value
    return first.subFailure if isinstance(first, FirstError) else failure
