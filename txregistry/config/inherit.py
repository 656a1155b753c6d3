"""Upstreams get the keys of ``proxy`` that they lack (pure).

Not all of them: who we are at the default upstream is no other upstream's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from txregistry.config.fields import is_empty, key_text
from txregistry.config.keypaths import is_within, path_of
from txregistry.config.proxy import OWN, Upstream

_INHERITED = frozenset(attrs.fields_dict(Upstream)) - OWN


@attrs.frozen
class Inherited:
    """A mapping whose upstreams have what they lacked.

    :ivar paths: of the keys that an upstream has from ``proxy``.
    """

    mapping: object
    paths: tuple[str, ...] = ()

    def told(self, problems: Iterable[str]) -> list[str]:
        """Leave out what is told of the key that it was inherited from."""
        return [
            problem
            for problem in problems
            if not any(is_within(path_of(problem), path) for path in self.paths)
        ]


def inherit(mapping: object) -> Inherited:
    """Give each of ``proxy.upstreams`` the keys of ``proxy`` that it lacks."""
    proxy = mapping.get("proxy") if isinstance(mapping, Mapping) else None
    upstreams = proxy.get("upstreams") if isinstance(proxy, Mapping) else None
    if not isinstance(upstreams, Mapping):
        return Inherited(mapping)
    assert isinstance(mapping, Mapping) and isinstance(proxy, Mapping)
    given = {name: proxy[name] for name in proxy if name in _INHERITED}
    paths: list[str] = []
    filled = {}
    for key, section in upstreams.items():
        filled[key] = _with(given, section, f"proxy.upstreams.{key_text(key)}", paths)
    return Inherited({**mapping, "proxy": {**proxy, "upstreams": filled}}, tuple(paths))


def _with(given: Mapping[Any, Any], section: Any, path: str, paths: list[str]) -> Any:
    if not isinstance(section, Mapping):
        if not is_empty(section):
            return section  # the reader tells
        section = {}
    lacking = {name: item for name, item in given.items() if name not in section}
    paths += [f"{path}.{name}" for name in lacking]
    return {**section, **lacking}
