"""What txredisapi does not document of its connections, under names of ours.

It keeps a pool of connections, each of which reads answers and gives them to whoever
has asked first.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from txredisapi import BaseRedisProtocol, InvalidResponse, RedisFactory

from txregistry.flow.private_names import require_names

#: Of one answer; ours have three short fields.
MAX_ANSWER_BYTES = 64 * 1024

require_names(BaseRedisProtocol(), "dataReceived", "replyReceived", "replyQueue")
require_names(BaseRedisProtocol().replyQueue, "waiting")
require_names(RedisFactory, "protocol", "startConnecting", "stopTrying", "disconnect")
require_names(RedisFactory("", None, 1), "slots", "size", "handler", "deferred")


class AnswerReader(BaseRedisProtocol):  # type: ignore[misc]  # of an untyped library
    """One connection, which ends with the first answer that cannot be one of ours.

    That is one that is too long, that nobody asked for, or that cannot be read: what
    comes after it might be taken for the answer to another question.
    """

    _answers = 0
    _unread_bytes = 0
    _refused = False
    _log = Logger()

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        """Take in what has come.

        :param unpause: it has been here before, and is gone on with.
        """
        if self._refused:
            return
        answers = self._answers
        try:
            super().dataReceived(data, unpause)
        except Exception as error:
            # Its library raises whatever it meets in what it did not expect.
            self._give_up(str(error)[:100] or type(error).__name__)
            return
        if self._answers != answers:
            self._unread_bytes = 0
        elif not unpause:
            self._unread_bytes += len(data)
        if self._unread_bytes > MAX_ANSWER_BYTES:
            self._give_up("it is too long")

    def replyReceived(self, reply: object) -> None:
        """Pass on an answer to whoever asked first."""
        self._answers += 1
        if not self.replyQueue.waiting:
            raise InvalidResponse("nobody has asked")
        super().replyReceived(reply)

    def _give_up(self, reason: str) -> None:
        # Said once: an endless one goes on for a moment.
        if not self._refused:
            self._log.warn("an answer of redis is refused: {reason}", reason=reason)
        self._refused = True
        self.transport.abortConnection()


class RedisConnections(RedisFactory):  # type: ignore[misc]  # of a library without types
    """Connections that are tried again, whatever ended the last one."""

    noisy = False
    protocol = AnswerReader

    def stopTrying(self) -> Deferred[None]:
        """Go on: its library gives up for good on anything that fails in a login.

        That is also an answer that did not come, or one connection too many.
        """
        return succeed(None)

    def abort(self) -> Deferred[None]:
        """Drop the connections and make no more; waits for no peer."""
        for slot in self.slots:
            if slot.protocol is not None:
                slot.protocol.transport.abortConnection()
        done: Deferred[None] = self.disconnect()
        return done


def is_connected(connections: Any) -> bool:
    """Tell whether there is a connection that can be asked now."""
    return bool(connections.size > 0)


def commands_of(connections: Any) -> Any:
    """Give what has redis' commands as methods, each on a connection that is free."""
    return connections.handler
