"""Content digests, ``algorithm:hex`` (OCI image-spec, "Digests")."""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

import attrs

from txregistry.spec.errors import DigestInvalid

#: Hexadecimal digits of each supported algorithm.
HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}

#: The algorithm of all digests for which a client does not choose another.
CANONICAL = "sha256"

_PATTERN = re.compile(r"(sha256|sha384|sha512):([0-9a-f]+)", re.ASCII)


class IncrementalHash(Protocol):
    """The methods of a :mod:`hashlib` object that we use."""

    def update(self, content: bytes, /) -> None:
        """Hash more content."""

    def hexdigest(self) -> str:
        """Return the digest of all content so far, in hexadecimal."""


@attrs.frozen(order=True, cache_hash=True)
class Digest:
    """A valid digest; use :meth:`parse` for untrusted text, :meth:`of` for content."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Parse a digest.

        :raise DigestInvalid: unknown algorithm, wrong length, upper case or any
            other character outside the grammar.
        """
        match = _PATTERN.fullmatch(text)
        if match is None or len(match[2]) != HEX_LENGTHS[match[1]]:
            raise DigestInvalid(text)
        return cls(match[1], match[2])

    @classmethod
    def of(cls, content: bytes, algorithm: str = CANONICAL) -> Digest:
        """Compute the digest of content in memory."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    def hasher(self) -> IncrementalHash:
        """Return a new hash object of this digest's algorithm."""
        return hashlib.new(self.algorithm)

    def matches(self, hasher: IncrementalHash) -> bool:
        """Return whether a hash object of this algorithm has this digest."""
        return hasher.hexdigest() == self.hex

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


def is_digest(text: str) -> bool:
    """Return whether :meth:`Digest.parse` accepts a text."""
    try:
        Digest.parse(text)
    except DigestInvalid:
        return False
    return True


def looks_like_digest(text: str) -> bool:
    """Return whether a reference is meant as a digest: a tag has no colon."""
    return ":" in text
