"""The regular expressions of a configuration: those of Go, in linear time.

RE2 is the engine that Go's is made after. Python's tries one way after the other: by
``([^/]+\\.)*``, which an example of distribution's manual has, a URL of forty dots
takes it days.
"""

from __future__ import annotations

from typing import Protocol

import attrs
import re2

#: What one expression may take in memory, in bytes.
_MAX_BYTES = 1024 * 1024


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _MAX_BYTES
    options.log_errors = False  # to the standard error, beside what we say
    return options


class _Compiled(Protocol):
    """What is used of an expression of RE2."""

    def search(self, text: str, /) -> object: ...


@attrs.frozen(eq=False)
class Pattern:
    """An expression, made once and searched for many times."""

    _compiled: _Compiled

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read an expression (https://github.com/google/re2/wiki/Syntax).

        :raise ValueError: it is malformed, or too large.
        """
        try:
            return cls(re2.compile(text, _options()))
        except re2.error as error:
            raise ValueError(_reason(error)) from error

    def found_in(self, text: str) -> bool:
        """Tell whether it matches somewhere in a text."""
        whole = text.encode("utf-8", "replace").decode("utf-8")  # no half characters
        return self._compiled.search(whole) is not None


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
