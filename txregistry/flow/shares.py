"""Room that is divided among however many need some at the moment."""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class Shares:
    """Gives each who takes part as much as fits: much to few, little to many.

    :param whole: to be divided, in bytes.
    :param most: of one.
    :param least: of one, however many there are.
    """

    _whole: int
    _most: int
    _least: int
    _takers: int = 0

    @property
    def each(self) -> int:
        """Give what one may have at this moment, in bytes."""
        return max(self._least, min(self._most, self._whole // max(1, self._takers)))

    def enter(self) -> None:
        """Take part, until :meth:`leave`."""
        self._takers += 1

    def leave(self) -> None:
        """Take part no more; call once for each :meth:`enter`."""
        self._takers -= 1
