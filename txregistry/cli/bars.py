"""Progress on a terminal, for commands that take long."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    FileSizeColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
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


def _on_stderr(*columns: ProgressColumn) -> Progress:
    return Progress(*columns, console=Console(stderr=True), transient=True)
