"""The service manager that started this process: what it is told, as by sd_notify(3).

Each message is one datagram of ``NAME=value`` lines to the socket that the variable
``NOTIFY_SOCKET`` names. Without that variable nothing is sent.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping

import attrs
from twisted.logger import Logger

#: Seconds that one message may block the reactor, if the manager does not read.
_SEND_SECONDS = 1.0

_MICROSECONDS = 1_000_000


@attrs.frozen
class Manager:
    """Sends messages to the service manager; a failure is logged and goes no further.

    :param address: of its socket: a path, or an abstract name after ``@``; empty if
        nobody listens.
    :ivar watchdog_seconds: a process that is silent for longer is killed and started
        again; 0 for no such limit.
    """

    _address: str = ""
    watchdog_seconds: float = 0.0
    _log = Logger()

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> Manager:
        """Read the variables that the manager sets.

        :param pid: of this process; a watchdog may be meant for another one.
        """
        address = environment.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls()
        return cls(address, _watchdog_seconds(environment, pid))

    @property
    def is_there(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def ready(self, text: str) -> None:
        """Say that the start, or a reload, is complete.

        :param text: one line for ``systemctl status``.
        """
        self._send(READY="1", STATUS=text)

    def reloading(self) -> None:
        """Say that the configuration is being read again; :meth:`ready` follows."""
        self._send(RELOADING="1", MONOTONIC_USEC=_microseconds(time.monotonic()))

    def stopping(self, seconds: float) -> None:
        """Say that the stop has begun.

        :param seconds: that it may take, if that is more than the unit allows.
        """
        self._send(STOPPING="1", EXTEND_TIMEOUT_USEC=_microseconds(seconds))

    def status(self, text: str) -> None:
        """Give a line for ``systemctl status``."""
        self._send(STATUS=text)

    def watchdog(self) -> None:
        """Give a sign of life."""
        self._send(WATCHDOG="1")

    def extend(self, seconds: float) -> None:
        """Ask for this much more time from now, while starting or stopping."""
        self._send(EXTEND_TIMEOUT_USEC=_microseconds(seconds))

    def _send(self, **fields: str) -> None:
        if not self._address:
            return
        # An abstract name begins with a null byte, which no variable can hold.
        address = self._address.replace("@", "\0", 1)
        how = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
        try:
            with socket.socket(socket.AF_UNIX, how) as sender:
                sender.settimeout(_SEND_SECONDS)
                sender.sendto(message(fields), address)
        except OSError as error:
            self._log.warn("systemd cannot be told: {error}", error=str(error))


def message(fields: Mapping[str, str]) -> bytes:
    """Make a datagram; line breaks in a value become spaces."""
    lines = (f"{name}={' '.join(text.splitlines())}" for name, text in fields.items())
    return "\n".join(lines).encode("utf-8", "replace")


def _watchdog_seconds(environment: Mapping[str, str], pid: int) -> float:
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / _MICROSECONDS if text.isdecimal() else 0.0


def _microseconds(seconds: float) -> str:
    return str(int(seconds * _MICROSECONDS))
