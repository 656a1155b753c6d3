"""How slowly the store may answer."""

from __future__ import annotations

import attrs

from txregistry.flow.streams import Watchdog

#: Bytes of an answer that are progress; one that has fewer in the time of its watchdog
#: is given up, as if it had stopped.
PROGRESS_BYTES = 16 * 1024


@attrs.define(eq=False)
class AnswerPace:
    """Gives an answer its time anew for each so many bytes, and not for each byte.

    :param progress: bytes that are progress.
    """

    _watchdog: Watchdog
    _progress: int = PROGRESS_BYTES
    _since: int = 0

    def begin(self) -> None:
        """Start the time, or start it again after a pause."""
        self._watchdog.arm()

    def came(self, count: int) -> bool:
        """Count bytes; tell if they are progress."""
        self._since += count
        if self._since < self._progress:
            return False
        self._since = 0
        self._watchdog.arm()
        return True

    def end(self) -> None:
        """Stop the time."""
        self._watchdog.disarm()
