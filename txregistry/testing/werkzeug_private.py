"""What is private to werkzeug's routes, of which tests make many tables alike."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from unittest.mock import patch

from werkzeug.routing import Rule

_Builder = Callable[..., tuple[str, str]]

_compile = Rule._compile_builder
_compiled: dict[tuple[object, ...], _Builder] = {}


def _compile_once(rule: Rule, append_unknown: bool = True) -> _Builder:
    """Compile for the first of the routes that are alike."""
    key = (*rule._trace, repr(rule.defaults), append_unknown)
    if key not in _compiled:
        _compiled[key] = _compile(rule, append_unknown)
    return _compiled[key]


def builders_shared() -> AbstractContextManager[object]:
    """Have routes that are made meanwhile share what builds their URLs, if alike."""
    return patch.object(Rule, "_compile_builder", _compile_once)
