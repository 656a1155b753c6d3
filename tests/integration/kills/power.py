"""What a power failure leaves, made out of what a killed process has left."""

from __future__ import annotations

import random
from itertools import chain
from pathlib import Path

from txregistry.storage.tree import layout
from txregistry.storagedriver.filesystem.journal.records import fold
from txregistry.storagedriver.filesystem.journal.segment import Segment


def lose_power(root: Path, dice: random.Random) -> int:
    """Let files that are not safe yet be empty or missing; the journal says so.

    :return: how many files are no longer what they were.
    """
    found = [Segment(str(path)) for path in root.glob(f"{layout.JOURNAL[1:]}/[01]")]
    for segment in found:
        segment.open()
    counting = sorted(
        (segment for segment in found if segment.counts), key=lambda item: item.epoch
    )
    steps = chain.from_iterable(segment.read().steps for segment in counting)
    spoiled = sum(
        _spoil(root / path[1:], content, dice)
        for path, content in fold(steps).files.items()
    )
    for segment in found:
        if segment.counts:
            segment.invalidate()
        segment.close()
    return spoiled


def _spoil(path: Path, content: bytes, dice: random.Random) -> bool:
    """Take a file away, or its content, if it is what the journal says."""
    how = dice.choice(("kept", "empty", "missing"))
    if how == "kept" or not path.is_file() or path.read_bytes() != content:
        return False
    if how == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    return True
