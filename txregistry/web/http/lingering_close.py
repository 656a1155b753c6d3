"""Closing a connection within a time limit, whatever its client does."""

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

from txregistry.web.http.twisted_private import unsent_bytes

#: Seconds between two checks of a closing connection. A client has this long to stop
#: sending, or to answer the end of TLS.
LINGER_SECONDS = 30.0

#: Checks in a row at which no unsent byte has gone; the connection is then aborted.
_MAX_STALLED_CHECKS = 10

#: Bytes read and discarded while closing; the connection is then aborted.
LINGER_BYTES = 64 * 1024 * 1024


@attrs.define(eq=False)
class Closing:
    """Closes one connection, and aborts it when that takes too long.

    If a client still sends, closing at once would reset the connection, and it may lose
    the answer: so only our half is closed and reading continues (RFC 9112, 9.6). TLS
    ends when the client answers ``close_notify`` (RFC 8446, 6.1). Either happens after
    everything written was sent, which needs the client to read it.

    :param call_later: of the clock to use.
    """

    _transport: ITransport
    _call_later: Callable[..., IDelayedCall]
    _timer: IDelayedCall | None = None
    _unsent: int = 0
    _stalled_checks: int = 0
    _discarded: int = 0
    _close_is_requested: bool = False

    def begin(self, client_may_send: bool) -> None:
        """Start to close; call once.

        :param client_may_send: the client may still be sending: close our half only.
        """
        self._schedule_check()
        if client_may_send and not self._is_tls:
            cast(ITCPTransport, self._transport).loseWriteConnection()
        else:
            self._transport.loseConnection()

    def discard(self, data: bytes) -> None:
        """Discard received bytes; abort after :data:`LINGER_BYTES`."""
        self._discarded += len(data)
        if self._discarded > LINGER_BYTES:
            self._abort()

    def close_now(self) -> None:
        """Do not wait for the client any longer: abort TLS, close anything else."""
        if self._is_tls:
            self._abort()
        else:
            self._transport.loseConnection()

    def connection_lost(self) -> None:
        """Stop the timer: the connection is gone."""
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
            # Aborting would discard what is in the kernel's send buffer: close first,
            # and abort at the next check.
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
        """Return the transport below TLS, or the transport itself."""
        return cast(Any, self._transport).transport if self._is_tls else self._transport
