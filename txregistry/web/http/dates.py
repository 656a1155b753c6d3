"""The ``Date`` header of answers (RFC 9110, 6.6.1)."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import datetimeToString


@attrs.define(eq=False)
class DateLine:
    """Formats the time once per second, for all answers of that second."""

    _clock: IReactorTime
    _second: int = -1
    _written: bytes = b""

    def now(self) -> bytes:
        """Return the time of the clock as an HTTP date."""
        second = int(self._clock.seconds())
        if second != self._second:
            self._second, self._written = second, datetimeToString(second)
        return self._written
