"""Globs over repository names, as in lists of the configuration (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from txregistry.spec.patterns import Pattern

#: What a glob may hold: characters of names, of hosts with a port, and wildcards.
_GLOB = re.compile(r"[A-Za-z0-9._:*-]+(?:/[A-Za-z0-9._:*-]+)*", re.ASCII)


@attrs.frozen
class Glob:
    """``*`` stands for any characters within one component, ``**`` for any at all.

    ``a/**`` has what is below ``a``, and not ``a`` itself.
    """

    text: str
    _pattern: Pattern = attrs.field(eq=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> Glob:
        """Parse a glob.

        :raise ValueError: it is malformed.
        """
        if not _GLOB.fullmatch(text) or "***" in text:
            raise ValueError("expected a name with * or **")
        return cls(text, Pattern.parse(_expression(text)))

    def matches(self, name: str) -> bool:
        """Return whether it matches a whole name."""
        return self._pattern.found_in(name)

    def __str__(self) -> str:
        return self.text


def _expression(text: str) -> str:
    """Write a glob as a regular expression, which is matched in linear time."""
    parts = re.split(r"(\*+)", text)
    words = {"*": "[^/]*", "**": ".*"}
    found = "".join(words.get(part) or re.escape(part) for part in parts)
    return rf"\A{found}\z"


def first_match(globs: Iterable[Glob], name: str) -> Glob | None:
    """Return the first glob that matches a name."""
    return next((glob for glob in globs if glob.matches(name)), None)
