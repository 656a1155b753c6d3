"""Paths of keys, as problems begin with (pure)."""

from __future__ import annotations


def path_of(problem: str) -> str:
    """Give the path of the key that a problem is about."""
    return problem.partition(": ")[0]


def is_within(path: str, outer: str) -> bool:
    """Tell if a path is equal to another one, or below it."""
    return path == outer or not outer or path.startswith((f"{outer}.", f"{outer}["))
