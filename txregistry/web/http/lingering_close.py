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

from txregistry.flow.twisted_private import unsent_bytes

#: How long a client is waited for that goes on sending, does not consent to the end of
#: TLS, or takes none of what is still to be sent.
LINGER_SECONDS = 30.0

#: How often one may pass without a byte of what is still to be sent being taken.
_MAX_STALLED_CHECKS = 10

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
    _stalled_checks: int = 0
    _discarded: int = 0
    _close_is_requested: bool = False

    def begin(self, client_may_send: bool) -> None:
        """Close.

        :param client_may_send: the client may be sending still.
        """
        self._schedule_check()
        if client_may_send and not self._is_tls:
            cast(ITCPTransport, self._transport).loseWriteConnection()
        else:
            self._transport.loseConnection()

    def discard(self, data: bytes) -> None:
        """Drop what comes all the same; too much is too much."""
        self._discarded += len(data)
        if self._discarded > LINGER_BYTES:
            self._abort()

    def close_now(self) -> None:
        """Wait for the client no longer."""
        if self._is_tls:
            self._abort()
        else:
            self._transport.loseConnection()

    def connection_lost(self) -> None:
        """Hear that the connection has gone."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _schedule_check(self) -> None:
        self._unsent = self._count_unsent()
        self._timer = self._call_later(LINGER_SECONDS, self._check)

    def _check(self) -> None:
        left = self._count_unsent()
        self._stalled_checks = 0 if left < self._unsent else self._stalled_checks + 1
        if self._close_is_requested or self._stalled_checks >= _MAX_STALLED_CHECKS:
            self._abort()
            return
        self._schedule_check()
        if not left:
            # What the kernel has it goes on sending, which aborting would prevent.
            self._close_is_requested = True
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
