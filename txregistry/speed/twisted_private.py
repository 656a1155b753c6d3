"""What is private to Twisted's transports and Deferreds, under names of ours."""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import DebugInfo, Deferred
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

from txregistry.private_names import require_names

require_names(Connection, "TLS", "writeSomeData", "bufferSize", "_writeDisconnected")
require_names(FileDescriptor(), "dataBuffer", "offset", "_tempDataBuffer")
require_names(FileDescriptor(), "_tempDataLen")
require_names(Deferred(), "_debugInfo")
require_names(DebugInfo(), "failResult")


def is_plain_tcp(transport: Any) -> bool:
    """Tell whether bytes go as they are given, and to a TCP socket."""
    return isinstance(transport, Connection) and not transport.TLS


def unsent_bytes(transport: FileDescriptor) -> int:
    """Count the bytes that a transport was given, and the kernel has not taken."""
    waiting: Any = transport
    return int(len(waiting.dataBuffer) - waiting.offset + waiting._tempDataLen)


def can_send(transport: Connection) -> bool:
    """Tell whether a connection is open and nothing waits to be sent on it."""
    inner: Any = transport
    waiting = inner.dataBuffer or inner._tempDataBuffer
    closed = inner.disconnecting or inner._writeDisconnected
    return bool(inner.connected and not waiting and not closed)


def hold_failure(deferred: Deferred[Any], failure: Failure) -> None:
    """Have a new Deferred failed, as ``errback`` does while nobody could be told.

    Unlike that, it does not touch the failure's traceback.
    """
    deferred.called = True
    deferred.result = failure
    deferred._debugInfo = deferred._debugInfo or DebugInfo()
    deferred._debugInfo.failResult = failure


def mark_failure_seen(deferred: Deferred[Any]) -> None:
    """Have a Deferred that has failed not logged as one whose failure nobody saw."""
    assert deferred._debugInfo is not None
    deferred._debugInfo.failResult = None
