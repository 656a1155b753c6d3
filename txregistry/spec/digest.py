"""Content digests: parsed or refused, never half valid (OCI image-spec, descriptor)."""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

import attrs

from txregistry.spec.errors import DigestInvalid

#: Length in hexadecimal digits of each registered algorithm.
HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}

#: Paths and names hold digests of this algorithm unless a client asks otherwise.
CANONICAL = "sha256"

_PATTERN = re.compile(r"(sha256|sha384|sha512):([0-9a-f]+)", re.ASCII)


class IncrementalHash(Protocol):
    """What we use of a :mod:`hashlib` object."""

    def update(self, content: bytes, /) -> None:
        """Take in more content."""

    def hexdigest(self) -> str:
        """Give the digest of all content taken in so far."""


@attrs.frozen(order=True, cache_hash=True)
class Digest:
    """The name of some content: ``algorithm:hex``, both valid by construction.

    Use :meth:`parse` for text from outside and :meth:`of` for content at hand.
    """

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read a digest of a registered algorithm.

        :raise DigestInvalid: unknown algorithm, wrong length, upper case or any
            other character outside the grammar.
        """
        match = _PATTERN.fullmatch(text)
        if match is None or len(match[2]) != HEX_LENGTHS[match[1]]:
            raise DigestInvalid(text)
        return cls(match[1], match[2])

    @classmethod
    def of(cls, content: bytes, algorithm: str = CANONICAL) -> Digest:
        """Compute the digest of content that is in memory."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    def hasher(self) -> IncrementalHash:
        """Give a fresh hash object of this digest's algorithm."""
        return hashlib.new(self.algorithm)

    def matches(self, hasher: IncrementalHash) -> bool:
        """Tell whether a hash object of this algorithm has taken in our content."""
        return hasher.hexdigest() == self.hex

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


def is_digest(text: str) -> bool:
    """Tell whether :meth:`Digest.parse` reads a text."""
    try:
        Digest.parse(text)
    except DigestInvalid:
        return False
    return True


def looks_like_digest(text: str) -> bool:
    """Tell a digest (perhaps an invalid one) from a tag: tags have no colon."""
    return ":" in text
