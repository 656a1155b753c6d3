"""A memory budget for bodies in transit, shared by all transfers."""

from __future__ import annotations

import attrs


@attrs.frozen
class BufferBudget:
    """Divides a number of bytes evenly, within limits.

    :ivar total: bytes to divide.
    :ivar max_share: upper limit of one share, in bytes.
    :ivar min_share: lower limit of one share, in bytes; the shares of many transfers
        may together exceed the total.
    """

    total: int
    max_share: int
    min_share: int

    def share(self, transfers: int) -> int:
        """Return the share of each of this many transfers, in bytes."""
        return max(self.min_share, min(self.max_share, self.total // max(1, transfers)))


#: Limits one read from a socket, and the bytes buffered for a file before reading
#: pauses. Larger pieces mean fewer reactor turns and thread jobs.
BODIES = BufferBudget(
    total=64 * 1024 * 1024, max_share=3 * 1024 * 1024, min_share=64 * 1024
)
