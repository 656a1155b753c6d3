"""SHA-2 that can be saved and resumed: libcrypto's contexts by ctypes.

``hashlib`` hides its state. libcrypto's older interface keeps it in a plain structure
that can be copied out and in, is as fast, and lets other threads run meanwhile. A
library that lacks it, or fails a self-test, is not used: see :func:`load`.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import attrs

from txregistry.spec.hashstate import FAMILIES, HashState

#: Of OpenSSL 3 and 1.1. ``ctypes.util.find_library`` would run programs to find it, in
#: the reactor thread, at the first upload.
_NAMES = ("libcrypto.so.3", "libcrypto.so.1.1")

Structure = type[ctypes.Structure]


class Sha256Context(ctypes.Structure):
    """``SHA256_CTX`` of ``openssl/sha.h``."""

    _fields_ = (
        ("words", ctypes.c_uint32 * 8),
        ("low_bits", ctypes.c_uint32),
        ("high_bits", ctypes.c_uint32),
        ("block", ctypes.c_uint8 * 64),
        ("pending", ctypes.c_uint),
        ("digest_bytes", ctypes.c_uint),
    )


class Sha512Context(ctypes.Structure):
    """``SHA512_CTX``, of SHA-384 as well."""

    _fields_ = (
        ("words", ctypes.c_uint64 * 8),
        ("low_bits", ctypes.c_uint64),
        ("high_bits", ctypes.c_uint64),
        ("block", ctypes.c_uint8 * 128),
        ("pending", ctypes.c_uint),
        ("digest_bytes", ctypes.c_uint),
    )


_CONTEXTS: Mapping[str, Structure] = {
    "sha256": Sha256Context,
    "sha384": Sha512Context,
    "sha512": Sha512Context,
}


@attrs.frozen
class Functions:
    """One algorithm of the library, with its functions."""

    algorithm: str
    context: Structure
    init: Any
    update: Any
    final: Any

    def begin(self) -> Any:
        """Give a fresh context."""
        context = self.context()
        self.init(ctypes.byref(context))
        return context


class ResumableHash:
    """A hash object whose state can be exported."""

    __slots__ = ("_context", "_functions", "length")

    def __init__(self, functions: Functions, context: Any, length: int = 0) -> None:
        self._functions = functions
        self._context = context
        self.length = length

    def update(self, content: bytes, /) -> None:
        """Take in more content; other threads run meanwhile."""
        self._functions.update(ctypes.byref(self._context), content, len(content))
        self.length += len(content)

    def hexdigest(self) -> str:
        """Give the digest so far; more content can follow."""
        kind = self._functions.context
        copy = kind.from_buffer_copy(self._context)
        size = hashlib.new(self._functions.algorithm).digest_size
        digest = ctypes.create_string_buffer(size)
        self._functions.final(digest, ctypes.byref(copy))
        return digest.raw.hex()

    def state(self) -> HashState:
        """Give the state that :meth:`Sha2.restore` resumes from."""
        context = self._context
        pending = bytes(context.block)[: context.pending]
        words = tuple(context.words)
        return HashState(self._functions.algorithm, words, pending, self.length)


@attrs.frozen
class Sha2:
    """The library's algorithms."""

    _functions: Mapping[str, Functions]

    def new(self, algorithm: str) -> ResumableHash:
        """Begin."""
        functions = self._functions[algorithm]
        return ResumableHash(functions, functions.begin())

    def restore(self, state: HashState) -> ResumableHash:
        """Resume from a state."""
        functions = self._functions[state.algorithm]
        context = functions.begin()
        # Eight words: their bytes are as many as the bits of one word.
        width = ctypes.sizeof(context.words)
        bits = state.length * 8
        context.words[:] = state.words
        context.low_bits = bits % (1 << width)
        context.high_bits = bits >> width
        context.block[: len(state.pending)] = list(state.pending)
        context.pending = len(state.pending)
        return ResumableHash(functions, context, state.length)


@cache
def load() -> Sha2 | None:
    """Find libcrypto and test it; ``None`` if it cannot be used."""
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
            found = Sha2(
                {algorithm: _functions(library, algorithm) for algorithm in FAMILIES}
            )
        except (OSError, AttributeError):
            continue
        if all(_works(found, algorithm) for algorithm in FAMILIES):
            return found
    return None


def _functions(library: ctypes.CDLL, algorithm: str) -> Functions:
    name = algorithm.upper()
    init, update, final = (
        getattr(library, f"{name}_{verb}") for verb in ("Init", "Update", "Final")
    )
    init.argtypes = [ctypes.c_void_p]
    update.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    final.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    return Functions(algorithm, _CONTEXTS[algorithm], init, update, final)


def _works(library: Sha2, algorithm: str) -> bool:
    """Hash with a save in between and compare with hashlib: a structure may differ."""
    first, second = b"a" * 333, b"b" * 200
    begun = library.new(algorithm)
    begun.update(first)
    resumed = library.restore(begun.state())
    resumed.update(second)
    return resumed.hexdigest() == hashlib.new(algorithm, first + second).hexdigest()
