"""A memory budget for bodies in transit, shared by all transfers."""

from __future__ import annotations

import attrs


@attrs.frozen
class BufferBudget:
    """Divides a number of bytes evenly, within limits.

    :ivar whole: bytes to divide.
    :ivar most: upper limit of one share, in bytes.
    :ivar least: lower limit of one share, in bytes; with many transfers the shares may
        then exceed the whole.
    """

    whole: int
    most: int
    least: int

    def share(self, takers: int) -> int:
        """Return the share of each of this many transfers, in bytes."""
        return max(self.least, min(self.most, self.whole // max(1, takers)))


#: Limits one read from a socket, and the bytes buffered for a file before reading
#: pauses. Larger pieces mean fewer reactor turns and thread jobs.
BODIES = BufferBudget(whole=64 * 1024 * 1024, most=3 * 1024 * 1024, least=64 * 1024)
