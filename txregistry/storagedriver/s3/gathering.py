"""Parts of files in memory, and how much of it all of them may take."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import attrs

from txregistry.flow.buffer_budget import BufferBudget
from txregistry.spec.digest import IncrementalHash
from txregistry.storagedriver.s3.settings import MAX_PARTS, MIN_PART_BYTES

#: Memory for all files that are being written. Each may have two of the smallest parts
#: whatever the others have.
_TOTAL_BYTES = 64 * 1024 * 1024


def parts_budget(chunksize: int) -> BufferBudget:
    """Give the budget for parts of a size: each writer has two of them."""
    return BufferBudget(_TOTAL_BYTES, 2 * chunksize, 2 * MIN_PART_BYTES)


def part_bytes(budget: BufferBudget, writers: int, written: int) -> int:
    """Give the size of the next part; from half of all on they grow.

    :param writers: that share the budget.
    :param written: bytes of the file before it.
    """
    return max(budget.share(writers) // 2, written // (MAX_PARTS // 2))


@attrs.define(eq=False)
class Gathered:
    """A part that is being gathered.

    :ivar wanted: bytes at which it is full.
    """

    wanted: int
    pieces: list[bytes] = attrs.field(factory=list)
    size: int = 0
    hashed: Any = attrs.field(factory=hashlib.sha256)

    def add(self, data: bytes) -> bytes:
        """Take in what there is room for; give the rest."""
        taken = data[: self.wanted - self.size]
        self.pieces.append(taken)
        self.size += len(taken)
        return data[len(taken) :]

    @property
    def is_full(self) -> bool:
        """Tell if it takes no more."""
        return self.size >= self.wanted

    @property
    def sha256(self) -> str:
        """Give the hash of what was hashed of it."""
        return str(self.hashed.hexdigest())


def hash_pieces(
    hasher: IncrementalHash | None, pieces: Sequence[tuple[Gathered, bytes]]
) -> None:
    """Hash pieces for the file and for their parts; for a thread."""
    for part, piece in pieces:
        part.hashed.update(piece)
        if hasher is not None:
            hasher.update(piece)
