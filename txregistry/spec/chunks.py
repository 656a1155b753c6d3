"""The part of an upload that a request sends: ``Content-Range`` without a unit.

OCI distribution-spec, "Pushing a blob in chunks": ``<start>-<end>``, both inclusive.
"""

from __future__ import annotations

import re

import attrs

from txregistry.spec.errors import SizeInvalid

_CHUNK = re.compile(
    r"(?:bytes[ =])?(\d{1,19})-(\d{1,19})(?:/(?:\d{1,19}|\*))?", re.ASCII
)


@attrs.frozen
class Chunk:
    """Bytes ``start`` up to, but not including, ``end``."""

    start: int
    end: int


def parse_chunk(header: str) -> Chunk | None:
    """Parse a header, with a unit (``bytes``) or without.

    :return: ``None`` for an empty header.
    :raise SizeInvalid: the header is malformed, or the chunk ends before it begins.
    """
    if not header:
        return None
    match = _CHUNK.fullmatch(header.strip())
    if match is None or int(match[2]) < int(match[1]):
        raise SizeInvalid({"Content-Range": header[:100]})
    return Chunk(int(match[1]), int(match[2]) + 1)


def check_chunk(chunk: Chunk | None, length: int | None) -> None:
    """Compare a chunk with the ``Content-Length`` of its request.

    :param length: ``None`` if the client did not send it.
    :raise SizeInvalid: the lengths differ.
    """
    if chunk is None or length is None or chunk.end - chunk.start == length:
        return
    raise SizeInvalid({"expected": chunk.end - chunk.start, "announced": length})
