"""The state of a SHA-2 computation, in the binary form of Go's ``crypto``.

Distribution 2.7 and newer store it beside an upload (``hashstates/<alg>/<offset>``):
four magic bytes, the eight chaining words, the incomplete block padded with zeros, and
the number of bytes hashed; all integers are big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import attrs


@attrs.frozen
class Family:
    """How an algorithm's state is serialized.

    :ivar word: the :mod:`struct` code of a chaining word.
    """

    magic: bytes
    word: str
    block_bytes: int

    @property
    def form(self) -> struct.Struct:
        """The layout of the whole state."""
        return struct.Struct(f">4s8{self.word}{self.block_bytes}sQ")


FAMILIES: Mapping[str, Family] = {
    "sha256": Family(b"sha\x03", "I", 64),
    "sha384": Family(b"sha\x04", "Q", 128),
    "sha512": Family(b"sha\x07", "Q", 128),
}


@attrs.frozen
class HashState:
    """The state of a computation.

    :ivar words: the eight chaining words.
    :ivar pending: the bytes after the last full block; padded when encoded.
    :ivar length: number of bytes hashed.
    """

    algorithm: str
    words: tuple[int, ...]
    pending: bytes
    length: int


def encode_state(state: HashState) -> bytes:
    """Serialize a state: 108 bytes for SHA-256, 204 for SHA-384 and SHA-512."""
    family = FAMILIES[state.algorithm]
    return family.form.pack(family.magic, *state.words, state.pending, state.length)


def decode_state(algorithm: str, content: bytes) -> HashState | None:
    """Parse a state.

    :return: ``None`` if it has another algorithm, version or length.
    """
    family = FAMILIES[algorithm]
    if len(content) != family.form.size or not content.startswith(family.magic):
        return None
    _, *rest = family.form.unpack(content)
    *words, block, length = rest
    return HashState(
        algorithm, tuple(words), block[: length % family.block_bytes], length
    )
