"""The time on answers: ``Date`` (RFC 9110, 6.6.1)."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import datetimeToString


@attrs.define(eq=False)
class DateLine:
    """Writes the time once a second, however many answers there are."""

    _clock: IReactorTime
    _second: int = -1
    _written: bytes = b""

    def now(self) -> bytes:
        """Give the time of the clock as a header has it."""
        second = int(self._clock.seconds())
        if second != self._second:
            self._second, self._written = second, datetimeToString(second)
        return self._written
