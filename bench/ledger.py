"""A ledger of a million blobs: time and memory of what eviction asks of it.

Run it as ``python bench/ledger.py [ROWS]``; a minute or two for a million. There is no
peer that counts what its cache takes.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from statistics import median
from typing import Any

from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.expiry import Entry, EntryKey, Kind
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

#: Rows that are recorded at a time, and that eviction looks at together.
BATCH, PAGE = 10_000, 100


def entries(rows: int) -> Iterator[list[Entry]]:
    """Give blobs of a thousand repositories, in the order of their use."""
    names = [RepositoryName.parse(f"org/app{number}") for number in range(1000)]
    for start in range(0, rows, BATCH):
        yield [
            Entry(
                EntryKey(
                    names[number % 1000],
                    Kind.BLOB,
                    f"sha256:{sha256(str(number).encode()).hexdigest()}",
                ),
                1000 + number % 1000,
                1e9 + number,
            )
            for number in range(start, min(start + BATCH, rows))
        ]


def memory() -> float:
    """Give the resident memory now, in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def done(work: Any) -> Any:
    """Give what a Deferred has fired with: there are no threads."""
    results: list[Any] = []
    work.addBoth(results.append)
    (found,) = results
    return found


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Give the milliseconds that a call took, and its result."""
    started = time.perf_counter()
    found = done(call())
    return (time.perf_counter() - started) * 1000, found


def walk(ledger: SqliteLedger) -> tuple[list[float], float]:
    """Look at all pages; give the milliseconds of each, and the most memory."""
    spent, most, last = [], 0.0, None
    while True:
        took, page = timed(lambda after=last: ledger.coldest(after, PAGE))
        if not page:
            return spent, most
        spent.append(took)
        last, most = page[-1], max(most, memory())


def main(rows: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "ledger.sqlite3")
        ledger = SqliteLedger(path, InlineDisk())
        before, started = memory(), time.perf_counter()
        for batch in entries(rows):
            done(ledger.restore(batch))
        took = time.perf_counter() - started
        size = os.path.getsize(path) / 2**20
        print(f"{rows:,} rows recorded in {took:.1f} s, {size:.0f} MiB on the disk")
        spent, total = timed(ledger.stored)
        print(f"sum {spent:.2f} ms ({total:,} bytes)")
        pages, most = walk(ledger)
        print(
            f"{len(pages):,} pages of {PAGE}: median {median(pages):.2f} ms,", end=" "
        )
        print(f"longest {max(pages):.1f} ms")
        digest = Digest.of(b"0")
        print(f"holders of one blob {timed(lambda: ledger.held(digest))[0]:.2f} ms")
        print(f"memory {before:.0f} MiB before, {most:.0f} MiB at most")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
