"""Bytes to the kernel at once, on plain TCP.

A transport keeps what it is given until the reactor has asked the kernel whether the
socket takes more, which it nearly always does: for a short answer that costs as much
as the sending.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection


def is_plain_tcp(transport: Any) -> bool:
    """Tell whether bytes go as they are given, and to a TCP socket."""
    return isinstance(transport, Connection) and not getattr(transport, "TLS", False)


def send_now(transport: Any, data: bytes) -> None:
    """Send bytes, after all that was given before; what is left waits as ever.

    A connection that is found lost is left to the reactor, which finds the same.
    """
    if is_plain_tcp(transport) and _is_free(transport):
        sent = transport.writeSomeData(data)
        if isinstance(sent, int):
            data = data[sent:]
    if data:
        transport.write(data)


def count_unsent(transport: Any) -> int:
    """Count the bytes that a transport was given, and the kernel has not taken.

    Where they are coded on their way it cannot be told, and counts as none.
    """
    if not is_plain_tcp(transport):
        return 0
    waiting: int = len(transport.dataBuffer) - transport.offset
    return waiting + int(transport._tempDataLen)


def _is_free(transport: Any) -> bool:
    waiting = transport.dataBuffer or transport._tempDataBuffer
    closed = transport.disconnecting or transport._writeDisconnected
    return bool(transport.connected and not waiting and not closed)
