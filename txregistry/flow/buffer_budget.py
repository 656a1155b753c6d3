"""Memory for bodies on their way, divided among however many there are."""

from __future__ import annotations

import attrs


@attrs.frozen
class BufferBudget:
    """Gives much to few, and little to many.

    :ivar whole: to be divided, in bytes.
    :ivar most: of one.
    :ivar least: of one, however many there are.
    """

    whole: int
    most: int
    least: int

    def share(self, takers: int) -> int:
        """Give what each of so many may have, in bytes."""
        return max(self.least, min(self.most, self.whole // max(1, takers)))


#: What is read from a socket at once, and what waits to be written to a file before
#: more is read: each piece costs a turn, and a job on a thread.
BODIES = BufferBudget(whole=64 * 1024 * 1024, most=3 * 1024 * 1024, least=64 * 1024)
