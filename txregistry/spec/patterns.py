"""Regular expressions that take linear time, whatever text they meet.

Those of a configuration are written for Go, whose engine does so. Python's tries one
way after the other: by ``([^/]+\\.)*``, which an example of distribution's manual has,
a URL of forty dots takes days. Here all ways are followed at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from re import _constants as op  # type: ignore[attr-defined]  # has no public name
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import attrs

#: States that one expression may have: repetitions are written out.
MAX_STATES = 2000

#: Sets of states that are remembered, with where each character leads.
_MAX_REMEMBERED = 2000

#: Where in a text one is: before which character, after which.
_Looks = Callable[[str, str], bool]

_WORD = re.compile(r"\w")


def _kind(char: str) -> str:
    """Give one character for all that are the same to what comes after them."""
    return char if char in ("", "\n") else "a" if _WORD.match(char) else "-"


def _is_edge(before: str, after: str) -> bool:
    return bool(_WORD.match(before)) != bool(_WORD.match(after))


_PLACES: dict[Any, _Looks] = {
    op.AT_BEGINNING: lambda before, after: not before,
    op.AT_BEGINNING_STRING: lambda before, after: not before,
    op.AT_END: lambda before, after: not after,
    op.AT_END_STRING: lambda before, after: not after,
    op.AT_BOUNDARY: _is_edge,
    op.AT_NON_BOUNDARY: lambda before, after: not _is_edge(before, after),
}


@attrs.define(eq=False)
class _State:
    """One state: it takes a character, looks at its place, or leads on at once."""

    takes: Callable[[str], bool] | None = None
    looks: _Looks | None = None
    ways: list[int] = attrs.field(factory=list)


@attrs.define(eq=False)
class Pattern:
    """An expression, made once and searched for many times."""

    _states: list[_State] = attrs.field(factory=list)
    _first: int = 0
    _remembered: dict[Any, tuple[frozenset[int], bool, str]] = attrs.field(factory=dict)

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read an expression.

        :raise ValueError: it is malformed, too large, or has what cannot be searched
            for in linear time: references to groups, and looks ahead or behind.
        """
        try:
            tree = parser.parse(text)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(str(error)) from error
        made = cls()
        end = made._add(_State())
        made._first = made._sequence(tree, end, tree.state.flags)
        return made

    def found_in(self, text: str) -> bool:
        """Tell whether it matches somewhere in a text."""
        current: frozenset[int] = frozenset()
        before = ""
        for char in (*text, ""):
            current, matches, before = self._step(current, before, char)
            if matches:
                return True
        return False

    def _step(
        self, current: frozenset[int], before: str, char: str
    ) -> tuple[frozenset[int], bool, str]:
        """Follow all ways over one character; tell whether the end was reached."""
        key = current, before, char
        known = self._remembered.get(key)
        if known is None:
            reached = self._reach({*current, self._first}, before, char)
            known = self._take(reached, char), 0 in reached, _kind(char)
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = known
        return known

    def _reach(self, begin: set[int], before: str, after: str) -> set[int]:
        """Follow what leads on without a character."""
        reached, left = set(begin), list(begin)
        while left:
            state = self._states[left.pop()]
            if state.takes is not None:
                continue
            if state.looks is not None and not state.looks(before, after):
                continue
            new = set(state.ways) - reached
            reached |= new
            left += new
        return reached

    def _take(self, reached: Iterable[int], char: str) -> frozenset[int]:
        if not char:
            return frozenset()
        states = (self._states[number] for number in reached)
        return frozenset(
            way
            for state in states
            if state.takes is not None and state.takes(char)
            for way in state.ways
        )

    def _add(self, state: _State) -> int:
        if len(self._states) >= MAX_STATES:
            raise ValueError("is too large")
        self._states.append(state)
        return len(self._states) - 1

    def _sequence(self, items: Sequence[Any], end: int, flags: int) -> int:
        for kind, value in reversed(list(items)):
            end = self._item(kind, value, end, flags)
        return end

    def _item(self, kind: Any, value: Any, end: int, flags: int) -> int:
        """Add what one part of the expression is; give where it begins."""
        if kind is op.SUBPATTERN:
            _, more, fewer, inner = value
            return self._sequence(inner, end, (flags | more) & ~fewer)
        if kind is op.BRANCH:
            ways = [self._sequence(inner, end, flags) for inner in value[1]]
            return self._add(_State(ways=ways))
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            least, most, inner = value
            return self._repeat(least, most, inner, end, flags)
        if kind is op.AT and value in _PLACES:
            return self._add(_State(looks=_place(value, flags), ways=[end]))
        takes = _taker(kind, value, flags)
        return self._add(_State(takes=takes, ways=[end]))

    def _repeat(
        self, least: int, most: int, inner: Sequence[Any], end: int, flags: int
    ) -> int:
        if most is op.MAXREPEAT:
            loop = self._add(_State())
            begin = self._sequence(inner, loop, flags)
            self._states[loop].ways = [begin, end]
            end = loop
        else:
            last = end
            for _ in range(most - least):
                begin = self._sequence(inner, end, flags)
                end = self._add(_State(ways=[begin, last]))
        for _ in range(least):
            end = self._sequence(inner, end, flags)
        return end


def _place(value: Any, flags: int) -> _Looks:
    if flags & re.MULTILINE and value is op.AT_BEGINNING:
        return lambda before, after: before in ("", "\n")
    if flags & re.MULTILINE and value is op.AT_END:
        return lambda before, after: after in ("", "\n")
    return _PLACES[value]


def _taker(kind: Any, value: Any, flags: int) -> Callable[[str], bool]:
    """Give what tells whether a character is taken.

    One character alone is what Python's engine is asked about.
    """
    if kind is op.ANY:
        return (lambda char: True) if flags & re.DOTALL else (lambda char: char != "\n")
    if kind not in (op.LITERAL, op.NOT_LITERAL, op.IN):
        raise ValueError(f"{str(kind).lower()} cannot be searched for in linear time")
    text = _class_of(kind, value)
    single = re.compile(text, flags & re.IGNORECASE)
    return lambda char: single.fullmatch(char) is not None


def _class_of(kind: Any, value: Any) -> str:
    """Write what takes one character as a class of them."""
    if kind is op.LITERAL:
        return f"[{_char(value)}]"
    if kind is op.NOT_LITERAL:
        return f"[^{_char(value)}]"
    return "[" + "".join(_member(*item) for item in value) + "]"


def _member(kind: Any, value: Any) -> str:
    if kind is op.NEGATE:
        return "^"
    if kind is op.RANGE:
        return f"{_char(value[0])}-{_char(value[1])}"
    if kind is op.CATEGORY:
        return _CATEGORIES[value]
    return _char(value)


def _char(code: int) -> str:
    return f"\\U{code:08x}"


_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}
