"""The control socket: one command per connection, in lines of JSON.

A client sends ``{"command": "collect", "options": {…}}``; the reply is any number of
``{"progress": {…}}`` and ``{"alive": true}``, and then ``{"report": {…}}`` or
``{"error": "…"}``. Meanwhile the client may send ``{"command": "stop"}``: the command
ends early, with a report of what was done if it has one. Some commands give or take
content as well: Note [Bytes between lines] in :mod:`txregistry.admin.content`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
    ITransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.admin.content import (
    AnyCommand,
    GivingCommand,
    IncomingContent,
    TakingCommand,
    WatchedConsumer,
)
from txregistry.admin.requester import peer
from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.streams import ConsumerStopped, ShortRead
from txregistry.interfaces.commands import CommandRefused
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.files import IFileReader
from txregistry.spec.errors import RegistryError

#: Longest question, in bytes.
MAX_QUESTION = 64 * 1024

#: Seconds within which a client asks.
QUESTION_SECONDS = 60.0

#: Seconds between two signs of life while a command runs.
ALIVE_SECONDS = 15.0

_log = Logger(namespace="txregistry.admin")


@implementer(IPushProducer)
class ControlProtocol(LineOnlyReceiver):
    """One question and its answers.

    A client that does not read gets no progress: the next line covers what it missed.
    """

    delimiter = b"\n"
    MAX_LENGTH = MAX_QUESTION

    def __init__(self, commands: Mapping[str, AnyCommand], clock: IReactorTime) -> None:
        self._commands, self._clock = commands, clock
        self._incoming: IncomingContent | None = None
        self._limit: IDelayedCall | None = None
        self._alive: IDelayedCall | None = None
        self._answering: Deferred[None] | None = None
        self._is_read = True

    def connectionMade(self) -> None:
        """Watch whether the client reads, and for how long it does not ask."""
        transport = cast(IConsumer, self.transport)
        transport.registerProducer(self, True)
        self._limit = self._clock.callLater(QUESTION_SECONDS, self._give_up)

    def pauseProducing(self) -> None:
        """Pause progress."""
        self._is_read = False

    def resumeProducing(self) -> None:
        """Resume progress."""
        self._is_read = True

    def stopProducing(self) -> None:
        """Stop progress for good."""
        self._is_read = False

    def dataReceived(self, data: bytes) -> None:
        """Take content that was asked for, and lines otherwise."""
        if self._incoming is not None:
            data = self._incoming.received(data)
        if data:
            super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        """Take the question, or the wish to stop; ignore further questions."""
        if self._answering is None:
            self._asked()
            self._show_life()
            self._answering = self._answer(line)
        elif _is_stop(line):
            self._answering.cancel()

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a question that is too long."""
        self._say({"error": f"the question is longer than {MAX_QUESTION} bytes"})
        cast(ITransport, self.transport).loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop the command: the client has left."""
        self._asked()
        self._hide_life()
        if self._incoming is not None:
            self._incoming.lost()
        if self._answering is not None:
            self._answering.cancel()

    def _show_life(self) -> None:
        if self._alive is not None and self._is_read:
            self._say({"alive": True})
        self._alive = self._clock.callLater(ALIVE_SECONDS, self._show_life)

    def _hide_life(self) -> None:
        alive, self._alive = self._alive, None
        if alive is not None:
            alive.cancel()

    def _asked(self) -> None:
        limit, self._limit = self._limit, None
        if limit is not None:
            limit.cancel()

    def _give_up(self) -> None:
        self._limit = None
        self._cut()

    def _cut(self) -> None:
        cast(ITCPTransport, self.transport).abortConnection()

    @background("control")
    @deferred
    async def _answer(self, line: bytes) -> None:
        try:
            command, options = self._read(line)
            report = await self._run(command, options)
        except CancelledError:
            self._say({"error": "stopped"})
        except CommandRefused as error:
            self._say({"error": str(error)})
        except Exception as error:
            # The client gets any error; the daemon continues.
            _log.failure("a command failed")
            self._say({"error": str(error) or type(error).__name__})
        else:
            self._say({"report": report})
        self._hide_life()
        cast(IConsumer, self.transport).unregisterProducer()
        cast(ITransport, self.transport).loseConnection()

    def _run(
        self, command: AnyCommand, options: Mapping[str, Any]
    ) -> Deferred[dict[str, Any]]:
        who = peer(self.transport)
        if isinstance(command, GivingCommand):
            return self._give(command.open(who, options))
        if isinstance(command, TakingCommand):
            size = command.size_of(options)
            self._incoming = IncomingContent(
                size,
                lambda: self._say({"send": size}),
                cast(IPushProducer, self.transport),
                self._clock,
                self._cut,
            )
            return command.take(who, options, self._incoming)
        return command.run(who, options, self._tell)

    @deferred
    async def _give(self, opening: Deferred[IFileReader]) -> dict[str, Any]:
        """Send content; a connection is cut if not all of it can be sent."""
        reader = await opening
        transport = cast(IConsumer, self.transport)
        try:
            self._hide_life()
            self._say({"content": reader.size})
            transport.unregisterProducer()
            watched = WatchedConsumer(transport, self._clock, self._cut)
            await reader.read(consumer=watched)
        except ConsumerStopped as error:
            raise CommandRefused("the client has left") from error
        except (RegistryError, DriverError, ShortRead) as error:
            # No line can say so in the middle of content.
            self._cut()
            _log.warn("content was not sent to its end: {error}", error=str(error))
            raise CommandRefused(str(error)) from error
        except BaseException:
            self._cut()
            raise
        finally:
            reader.close()
            transport.registerProducer(self, True)
        return {}

    def _read(self, line: bytes) -> tuple[AnyCommand, Mapping[str, Any]]:
        question = _question(line)
        name, options = question.get("command"), question.get("options") or {}
        if not isinstance(name, str) or name not in self._commands:
            offered = ", ".join(sorted(self._commands))
            raise CommandRefused(f"no such command; this daemon has: {offered}")
        if not isinstance(options, dict):
            raise CommandRefused("options: expected a JSON object")
        return self._commands[name], options

    def _tell(self, progress: Mapping[str, Any]) -> None:
        if self._is_read:
            self._say({"progress": progress})

    def _say(self, answer: dict[str, Any]) -> None:
        self.sendLine(json.dumps(answer).encode("utf-8"))


def _is_stop(line: bytes) -> bool:
    try:
        return _question(line).get("command") == "stop"
    except CommandRefused:
        return False


def _question(line: bytes) -> dict[str, Any]:
    try:
        question = json.loads(line)
    except (ValueError, RecursionError):
        question = None
    if not isinstance(question, dict):
        raise CommandRefused("expected a question as a JSON object in a line")
    return question


@attrs.define(eq=False, slots=False)
class ControlFactory(Factory):
    """Runs the commands of one daemon.

    :param commands: by name.
    """

    _commands: Mapping[str, AnyCommand]
    _clock: IReactorTime
    noisy = False

    def buildProtocol(self, addr: Any) -> Protocol:
        """Make a protocol for one question."""
        protocol = ControlProtocol(self._commands, self._clock)
        protocol.factory = self
        return protocol
