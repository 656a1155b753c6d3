"""Regular expressions of the configuration: Go's syntax, matched in linear time.

Go's engine is modelled on RE2. Python's backtracks: with ``([^/]+\\.)*``, an example
from distribution's manual, it needs days for a URL of forty dots.
"""

from __future__ import annotations

from typing import Protocol

import attrs
import re2

#: Memory limit of one compiled expression, in bytes.
_MAX_BYTES = 1024 * 1024


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _MAX_BYTES
    options.log_errors = False  # or RE2 writes to standard error itself
    return options


class _Compiled(Protocol):
    """The method of a compiled RE2 expression that is used here."""

    def search(self, text: str, /) -> object: ...


@attrs.frozen(eq=False)
class Pattern:
    """A compiled expression."""

    _compiled: _Compiled

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Compile an expression (https://github.com/google/re2/wiki/Syntax).

        :raise ValueError: it is malformed or needs too much memory.
        """
        try:
            return cls(re2.compile(text, _options()))
        except re2.error as error:
            raise ValueError(_reason(error)) from error

    def found_in(self, text: str) -> bool:
        """Return whether it matches anywhere in a text."""
        # RE2 refuses lone surrogates.
        whole = text.encode("utf-8", "replace").decode("utf-8")
        return self._compiled.search(whole) is not None


def _reason(error: Exception) -> str:
    message = error.args[0] if error.args else ""
    return (
        message.decode("utf-8", "replace")
        if isinstance(message, bytes)
        else str(message)
    )
