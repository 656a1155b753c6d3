"""Closing a connection in time, though the client has a say in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import attrs
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import (
    IDelayedCall,
    ISSLTransport,
    ITCPTransport,
    ITransport,
)

from txregistry.speed.twisted_private import unsent_bytes

#: How long a client is waited for that goes on sending, does not consent to the end of
#: TLS, or takes none of what is still to be sent.
LINGER_SECONDS = 30.0

#: How often one may pass without a byte of what is still to be sent being taken.
_ROUNDS = 10

#: How much is read of a client that goes on sending.
LINGER_BYTES = 64 * 1024 * 1024


@attrs.define(eq=False)
class Closing:
    """The end of a connection, from when it is wanted to when it is there.

    A client that still sends would find the connection reset, and not its answer: so
    it is read on (RFC 9112, 9.6). TLS ends when the client consents (RFC 8446, 6.1),
    and any connection when what is written has been taken. None may take for ever.

    :param call_later: of the clock that counts.
    """

    _transport: ITransport
    _call_later: Callable[..., IDelayedCall]
    _timer: IDelayedCall | None = None
    _unsent: int = 0
    _rounds: int = 0
    _read: int = 0
    _is_asked: bool = False

    def begin(self, sends: bool) -> None:
        """Close.

        :param sends: the client may be sending still.
        """
        self._watch()
        if sends and not self._is_tls:
            cast(ITCPTransport, self._transport).loseWriteConnection()
        else:
            self._transport.loseConnection()

    def take(self, data: bytes) -> None:
        """Drop what comes all the same; too much is too much."""
        self._read += len(data)
        if self._read > LINGER_BYTES:
            self._abort()

    def hurry(self) -> None:
        """Wait for the client no longer."""
        if self._is_tls:
            self._abort()
        else:
            self._transport.loseConnection()

    def end(self) -> None:
        """Hear that the connection has gone."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _watch(self) -> None:
        self._unsent = self._count_unsent()
        self._timer = self._call_later(LINGER_SECONDS, self._look)

    def _look(self) -> None:
        left = self._count_unsent()
        self._rounds = 0 if left < self._unsent else self._rounds + 1
        if self._is_asked or self._rounds >= _ROUNDS:
            self._abort()
            return
        self._watch()
        if not left:
            # What the kernel has it goes on sending, which aborting would prevent.
            self._is_asked = True
            self._connection.loseConnection()

    def _count_unsent(self) -> int:
        connection = self._connection
        return unsent_bytes(connection) if isinstance(connection, FileDescriptor) else 0

    def _abort(self) -> None:
        cast(ITCPTransport, self._transport).abortConnection()

    @property
    def _is_tls(self) -> bool:
        return bool(ISSLTransport.providedBy(self._transport))

    @property
    def _connection(self) -> Any:
        """Give what TLS goes over, or the connection itself."""
        return cast(Any, self._transport).transport if self._is_tls else self._transport
