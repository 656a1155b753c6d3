"""Content negotiation: the ``Accept`` header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterable

#: Longest header that is parsed, all lines joined; a longer one accepts anything.
_MAX_LENGTH = 16384


def accepts(headers: Iterable[str], media_type: str) -> bool:
    """Return whether the ``Accept`` headers admit a media type.

    All header lines count. The most specific matching item decides; a q-value of 0
    refuses. Without the header everything is acceptable.
    """
    text = ",".join(headers)
    if not text.strip() or len(text) > _MAX_LENGTH:
        return True
    main = media_type.partition("/")[0]
    by_precision = {media_type: 3, f"{main}/*": 2, "*/*": 1}
    best, quality = 0, 0.0
    for item in text.split(","):
        name, _, parameters = item.partition(";")
        precision = by_precision.get(name.strip().lower(), 0)
        if precision > best:
            best, quality = precision, _quality(parameters)
    return quality > 0


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 1.0
    return 1.0
