"""Who asks on the control socket, or runs a command: a user of the machine."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from typing import Any

from twisted.internet.interfaces import ISystemHandle

from txregistry.interfaces.audit import Requester

#: Credentials of the peer: process, user and group (unix(7), SO_PEERCRED).
_CREDENTIALS = struct.Struct("iII")


def peer(transport: Any) -> Requester:
    """Name the peer of a Unix socket, from its credentials in the kernel."""
    handle = transport.getHandle() if ISystemHandle.providedBy(transport) else None
    if not isinstance(handle, socket.socket):
        return Requester("the control socket")
    found = handle.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, user, _ = _CREDENTIALS.unpack(found)
    return _requester(user, pid)


def ourselves() -> Requester:
    """Name this process, as :func:`peer` would."""
    return _requester(os.geteuid(), os.getpid())


def user_name(uid: int) -> str:
    """Name a user; ``#`` and the number where it has no name here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def _requester(uid: int, pid: int) -> Requester:
    return Requester(user_name(uid), f"pid:{pid}")
