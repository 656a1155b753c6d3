"""What txredisapi does not document of its connections, under names of ours.

It keeps a pool of connections, each of which reads answers and gives them to whoever
has asked first.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from txredisapi import BaseRedisProtocol, InvalidResponse, RedisFactory

from txregistry.private_names import require_names

#: Bytes of one answer; the expected ones have three short fields.
MAX_ANSWER_BYTES = 64 * 1024

require_names(BaseRedisProtocol(), "dataReceived", "replyReceived", "replyQueue")
require_names(BaseRedisProtocol().replyQueue, "waiting")
require_names(RedisFactory, "protocol", "startConnecting", "stopTrying", "disconnect")
require_names(RedisFactory("", None, 1), "slots", "size", "handler", "deferred")


class AnswerReader(BaseRedisProtocol):  # type: ignore[misc]  # of an untyped library
    """One connection, which is closed at the first invalid answer.

    An answer is invalid if it is too long, unsolicited, or unreadable: whatever follows
    it might be taken for the answer to another question.
    """

    _answers = 0
    _unread_bytes = 0
    _refused = False
    _log = Logger()

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        """Take in received bytes.

        :param unpause: the bytes were taken in before, and reading them resumes.
        """
        if self._refused:
            return
        answers = self._answers
        try:
            super().dataReceived(data, unpause)
        except Exception as error:
            # The library raises arbitrary exceptions on unexpected input.
            self._give_up(str(error)[:100] or type(error).__name__)
            return
        if self._answers != answers:
            self._unread_bytes = 0
        elif not unpause:
            self._unread_bytes += len(data)
        if self._unread_bytes > MAX_ANSWER_BYTES:
            self._give_up("it is too long")

    def replyReceived(self, reply: object) -> None:
        """Pass an answer to the oldest question."""
        self._answers += 1
        if not self.replyQueue.waiting:
            raise InvalidResponse("nobody has asked")
        super().replyReceived(reply)

    def _give_up(self, reason: str) -> None:
        # Logged once: an endless answer keeps coming for a moment.
        if not self._refused:
            self._log.warn(
                "invalid answer from redis, connection closed: {reason}", reason=reason
            )
        self._refused = True
        self.transport.abortConnection()


class RedisConnections(RedisFactory):  # type: ignore[misc]  # of a library without types
    """Connections that are retried, whatever ended the last one."""

    noisy = False
    protocol = AnswerReader

    def stopTrying(self) -> Deferred[None]:
        """Retry: the library gives up for good on any failure during login.

        That includes a missing answer, and one connection too many.
        """
        return succeed(None)

    def reconnect(self) -> None:
        """Drop the connections and open new ones."""
        for slot in self.slots:
            if slot.protocol is not None:
                slot.protocol.transport.abortConnection()

    def abort(self) -> Deferred[None]:
        """Drop the connections and open no more; waits for no peer."""
        self.reconnect()
        done: Deferred[None] = self.disconnect()
        return done


def is_connected(connections: Any) -> bool:
    """Tell whether there is a connection that can be asked now."""
    return bool(connections.size > 0)


def commands_of(connections: Any) -> Any:
    """Give what has redis' commands as methods, each on a connection that is free."""
    return connections.handler
