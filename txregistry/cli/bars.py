"""Progress on a terminal, for commands that take long."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    FileSizeColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


def scrub_bar() -> Progress:
    """Make the bar of a verification; its tasks have a field ``damaged``."""
    return _on_stderr(
        TextColumn("verifying"),
        BarColumn(),
        TaskProgressColumn(),
        FileSizeColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.fields[damaged]} damaged"),
        TimeElapsedColumn(),
    )


def collection_line() -> Progress:
    """Make the lines of a collection, one for each stage."""
    return _on_stderr(
        SpinnerColumn(),
        TextColumn("{task.description} {task.completed:.0f}"),
        TimeElapsedColumn(),
    )


def blob_bars() -> Progress:
    """Make the bars of blobs that are fetched; each task is one, its unit a byte."""
    return _on_stderr(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )


def _on_stderr(*columns: ProgressColumn) -> Progress:
    return Progress(*columns, console=Console(stderr=True), transient=True)
