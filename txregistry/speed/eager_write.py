"""Bytes to the kernel at once, on plain TCP.

A transport keeps what it is given until the reactor has asked the kernel whether the
socket takes more, which it nearly always does: for a short answer that costs as much
as the sending.
"""

from __future__ import annotations

from typing import Any

from txregistry.speed.twisted_private import can_send, is_plain_tcp, unsent_bytes


def send_now(transport: Any, data: bytes) -> None:
    """Send bytes, after all that was given before; what is left waits as ever.

    A connection that is found lost is left to the reactor, which finds the same.
    """
    if is_plain_tcp(transport) and can_send(transport):
        sent = transport.writeSomeData(data)
        if isinstance(sent, int):
            data = data[sent:]
    if data:
        transport.write(data)


def count_unsent(transport: Any) -> int:
    """Count the bytes that a transport was given, and the kernel has not taken.

    Where they are coded on their way it cannot be told, and counts as none.
    """
    return unsent_bytes(transport) if is_plain_tcp(transport) else 0
