"""The daemon under a service manager: signs of life, and the states of its life."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from txregistry.daemon.systemd import Manager

#: Seconds between two signs of life where the manager asks for none, while starting.
_USUAL_SECONDS = 5.0

#: While it starts, the daemon may be silent for this many seconds before it is killed.
#: How long a start takes depends on how much is stored: only the silence is limited.
_SILENT_SECONDS = 60.0

#: Of a stop: seconds for the parts, beside those for answers under way.
_STOP_SECONDS = 30.0


@attrs.define(eq=False, slots=False)
class Supervision:
    """Keeps the manager informed from :meth:`begin` to the end of the process.

    The signs come from the reactor: one that hangs sends none, and the watchdog of the
    manager starts the daemon again. Without a manager nothing is timed or sent.
    """

    _manager: Manager
    _clock: IReactorTime
    _is_starting: bool = True
    _loop: LoopingCall | None = None

    def begin(self) -> None:
        """Begin to send signs of life."""
        if not self._manager.is_there:
            return
        self._loop = LoopingCall(self._beat)
        self._loop.clock = self._clock
        self._loop.start(self._manager.watchdog_seconds / 2 or _USUAL_SECONDS)

    def ready(self, text: str) -> None:
        """Say that the daemon serves.

        :param text: where, for ``systemctl status``.
        """
        self._is_starting = False
        self._manager.ready(text)

    def stopping(self, drain_seconds: float) -> None:
        """Say that the daemon stops; signs of life go on until :meth:`end`."""
        self._is_starting = False
        self._manager.stopping(drain_seconds + _STOP_SECONDS)

    def end(self) -> None:
        """Send nothing more."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def _beat(self) -> None:
        if self._is_starting:
            self._manager.extend(_SILENT_SECONDS)
        if self._manager.watchdog_seconds:
            self._manager.watchdog()
