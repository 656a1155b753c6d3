"""Ctrl-C, for commands that end with what they have."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_interrupt(end: Callable[[], None]) -> Iterator[None]:
    """Let the first interrupt (Ctrl-C) end work politely; the second one acts as usual.

    :param end: called once; the work then ends with what it has.
    """
    before = signal.getsignal(signal.SIGINT)

    def interrupted(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        end()

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
