"""JSON that others send, nested no deeper than anything of a registry is.

Python's parser gives up at a depth that depends on who calls it: what one part takes
another could not read again. Here the limit is a number.
"""

from __future__ import annotations

import json
from typing import Any

#: Objects and lists within one another. Manifests have about six.
MAX_DEPTH = 100


#: Objects and lists in all. A manifest of 4 MiB has a hundred thousand at most, and one
#: that is made of nothing else three million, each of which takes memory and time.
MAX_PARTS = 200_000


def read_json(text: str | bytes, **options: Any) -> Any:
    """Read JSON.

    :param options: of :func:`json.loads`.
    :raise ValueError: it is none, is nested deeper than :data:`MAX_DEPTH`, or has more
        parts than :data:`MAX_PARTS`.
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
    """Count what may begin an object or a list, in no time."""
    if isinstance(text, bytes):
        return text.count(b"{") + text.count(b"[")
    return text.count("{") + text.count("[")


def _is_deep(value: object) -> bool:
    """Look at one level after the other; only what holds something has a next one."""
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
