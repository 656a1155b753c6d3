"""Byte ranges: ``Range`` and ``Content-Range`` (RFC 9110, 14)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from txregistry.spec.errors import RangeInvalid

#: A request for more parts gets the whole content, as RFC 9110, 14.2 permits; clients
#: of chunked layers ask for up to about 1,024.
MAX_PARTS = 2048

_SPEC = re.compile(r"(\d{1,19})?-(\d{1,19})?", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)

#: First and last byte as requested; a suffix (``-500``) has no first.
Span = tuple[int | None, int | None]


@attrs.frozen
class ByteRange:
    """Bytes ``start`` up to, but not including, ``end``; never empty."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self.end - self.start

    def content_range(self, total: int) -> str:
        """Return the ``Content-Range`` value of this part of ``total`` bytes."""
        return f"bytes {self.start}-{self.end - 1}/{total}"


def parse_range(header: str | None, size: int) -> Sequence[ByteRange] | None:
    """Parse a ``Range`` header for content of ``size`` bytes.

    :return: the satisfiable parts in the requested order, or ``None`` to send the whole
        content: no header, another unit, malformed, content is empty, too many parts,
        or parts longer than twice the content in total (an amplification attack).
    :raise RangeInvalid: no part exists, or one ends before it begins. RFC 9110, 14.2
        also permits to ignore the latter, but that would hide the client's mistake.
    """
    spans = _spans(header)
    if spans is None:
        return None
    if any(_is_backwards(span) for span in spans):
        raise RangeInvalid(size)
    if not size:
        # Some clients send a range with every request, and give up on 416.
        return None
    parts = [_resolve(*span, size) for span in spans]
    found = [part for part in parts if part is not None]
    if not found:
        raise RangeInvalid(size)
    if sum(part.size for part in found) > 2 * size:
        return None
    return found


def _spans(header: str | None) -> list[Span] | None:
    """Parse all parts; ``None`` if one is malformed or there are too many."""
    specs = _split(header)
    if specs is None or len(specs) > MAX_PARTS:
        return None
    matches = [_SPEC.fullmatch(spec) for spec in specs]
    found = [
        match.groups() for match in matches if match is not None and match[0] != "-"
    ]
    return [_span(*texts) for texts in found] if len(found) == len(specs) else None


def _span(first: str | None, last: str | None) -> Span:
    return None if first is None else int(first), None if last is None else int(last)


def _is_backwards(span: Span) -> bool:
    first, last = span
    return first is not None and last is not None and last < first


def _split(header: str | None) -> list[str] | None:
    if header is None:
        return None
    unit, equals, rest = header.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    # A list may have empty elements (RFC 9110, 5.6.1).
    return [spec for part in rest.split(",") if (spec := part.strip(" \t"))] or None


def _resolve(first: int | None, last: int | None, size: int) -> ByteRange | None:
    if first is None:
        start, end = max(0, size - (last or 0)), size
    else:
        start, end = first, size if last is None else min(last + 1, size)
    return ByteRange(start, end) if start < end else None


def parse_content_range(header: str | None) -> tuple[ByteRange, int | None] | None:
    """Parse the ``Content-Range`` of a response.

    :return: the part and the total size (``None`` for ``*``); ``None`` if absent or
        malformed.
    """
    match = None if header is None else _CONTENT_RANGE.fullmatch(header.strip())
    if match is None or int(match[2]) < int(match[1]):
        return None
    total = None if match[3] == "*" else int(match[3])
    return ByteRange(int(match[1]), int(match[2]) + 1), total
