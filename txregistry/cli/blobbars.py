"""Bars of blobs, if there is a terminal."""

from __future__ import annotations

from typing import Any, Self


class BlobBars:
    """Shows bars while it is entered.

    :param hidden: nobody looks.
    """

    def __init__(self, hidden: bool) -> None:
        self._progress: Any = None
        if not hidden:
            # rich is imported for whoever sees it.
            from txregistry.cli.bars import blob_bars

            self._progress = blob_bars()

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()
