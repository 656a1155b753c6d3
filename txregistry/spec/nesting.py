"""Untrusted JSON with limits on its depth and number of parts.

The depth at which Python's parser gives up depends on the depth of the call stack, so
one caller could accept what another cannot read again. Here it is fixed.
"""

from __future__ import annotations

import json
from typing import Any

#: Nested objects and lists. Manifests have about six levels.
MAX_DEPTH = 100

#: Objects and lists in total. A real manifest of 4 MiB has a hundred thousand at most;
#: a hostile one could have three million, each of which takes memory and time.
MAX_PARTS = 200_000


def read_json(text: str | bytes, **options: Any) -> Any:
    """Parse JSON.

    :param options: passed to :func:`json.loads`.
    :raise ValueError: it is malformed, is nested deeper than :data:`MAX_DEPTH`, or has
        more objects and lists than :data:`MAX_PARTS`.
    """
    if _count(text) > MAX_PARTS:
        raise ValueError("has too many parts")
    try:
        value = json.loads(text, **options)
    except RecursionError as error:
        raise ValueError("is nested too deep") from error
    if _is_deep(value):
        raise ValueError("is nested too deep")
    return value


def _count(text: str | bytes) -> int:
    """Count all opening brackets, those in strings included: parsing would be slow."""
    if isinstance(text, bytes):
        return text.count(b"{") + text.count(b"[")
    return text.count("{") + text.count("[")


def _is_deep(value: object) -> bool:
    """Descend level by level, without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
