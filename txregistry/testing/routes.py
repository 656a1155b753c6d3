"""Tables of routes for many houses, without the work that is the same for each.

For every route werkzeug compiles functions that build its URLs. We never call them, and
they take most of the time that a house takes to be made.
"""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

from werkzeug.routing import Rule

from txregistry.web.api import Api
from txregistry.web.router import Router

_Builder = Callable[..., tuple[str, str]]

_compile = Rule._compile_builder
_compiled: dict[tuple[object, ...], _Builder] = {}


def _compile_once(rule: Rule, append_unknown: bool = True) -> _Builder:
    """Compile for the first of the routes that are alike."""
    key = (*rule._trace, repr(rule.defaults), append_unknown)
    if key not in _compiled:
        _compiled[key] = _compile(rule, append_unknown)
    return _compiled[key]


def resource_of(api: Api) -> Router:
    """Give the resource of an API, as it would itself."""
    with patch.object(Rule, "_compile_builder", _compile_once):
        return api.resource()
