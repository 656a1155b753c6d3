"""Packages that offer drivers and controllers, without being installed."""

from __future__ import annotations

from importlib import metadata
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.offered import Offered


class Point:
    """An entry point; counts how often it is imported.

    :param package: what it belongs to; empty for code that is not installed.
    """

    value = "somewhere:make"

    def __init__(self, name: str, made: Any, package: str = "") -> None:
        self.name, self.made, self.loaded = name, made, 0
        self.dist = SimpleNamespace(name=package) if package else None

    def load(self) -> Any:
        self.loaded += 1
        return self.made


def offer(case: SynchronousTestCase, offered: Offered, *points: Any) -> None:
    """Let packages offer this, and nothing else of the kind."""
    before = metadata.entry_points

    def entry_points(*, group: str) -> Any:
        return points if group == offered.group else before(group=group)

    case.patch(metadata, "entry_points", entry_points)
