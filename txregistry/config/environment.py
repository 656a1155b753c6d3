"""``REGISTRY_…`` variables override keys of the file (distribution's rule).

The name after the prefix, split at underscores, is a path of keys in upper case; the
value is YAML. Variables are taken in the order of their names, so that
``REGISTRY_STORAGE=filesystem`` replaces the section before
``REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY`` sets a parameter of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import attrs

from txregistry.config.access import Auth
from txregistry.config.model import Config
from txregistry.config.storage import Storage

PREFIX = "REGISTRY_"

#: Names that are no keys: where the file is.
_RESERVED = frozenset((f"{PREFIX}CONFIGURATION_PATH",))


class _Unrecognized(Exception):
    pass


def override(
    mapping: Mapping[str, Any],
    environment: Mapping[str, str],
    parse: Callable[[str], object],
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Apply the variables to a mapping, which is not changed.

    :param parse: reads YAML; raises ``ValueError`` for what is none.
    :return: the new mapping, warnings of variables that are no keys, and problems
        with the values of those that are.
    """
    result = _copy(mapping)
    warnings: list[str] = []
    problems: list[str] = []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in _RESERVED:
            continue
        segments = name.removeprefix(PREFIX).split("_")
        try:
            _set(result, Config, segments, parse(environment[name]))
        except _Unrecognized:
            warnings.append(f"{name}: names no known key and is ignored")
        except ValueError as error:
            problems.append(f"{name}: is not YAML: {error}")
    return result, warnings, problems


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _copy(item) for name, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _set(holder: dict[str, Any], hint: Any, segments: list[str], value: object) -> None:
    name, inner = _resolve(holder, hint, segments[0])
    if len(segments) == 1:
        holder[name] = value
        return
    if get_origin(inner) is tuple:
        _set_item(holder, name, get_args(inner)[0], segments[1:], value)
        return
    if not isinstance(holder.get(name), dict):
        # A bare name stands for a section of that name without parameters.
        bare = holder.get(name)
        holder[name] = {bare: {}} if isinstance(bare, str) and bare else {}
    _set(holder[name], inner, segments[1:], value)


def _resolve(holder: dict[str, Any], hint: Any, segment: str) -> tuple[str, Any]:
    if hint is Auth:
        return _key(holder, segment), Mapping[str, object]
    if attrs.has(hint):
        hints = get_type_hints(hint)
        for name in hints:
            if name.upper() == segment and not (
                hint is Storage and name in ("driver", "parameters")
            ):
                return name, hints[name]
        if hint is not Storage:
            raise _Unrecognized
    elif hint is not object and get_origin(hint) is None:
        raise _Unrecognized  # a path that goes on below a plain value
    return _key(holder, segment), _value_hint(hint)


def _key(holder: dict[str, Any], segment: str) -> str:
    for name in holder:
        if name.upper() == segment:
            return name
    return segment.lower()


def _value_hint(hint: Any) -> Any:
    arguments = get_args(hint)
    return arguments[1] if len(arguments) == 2 else object


def _set_item(
    holder: dict[str, Any], name: str, hint: Any, segments: list[str], value: object
) -> None:
    items = holder.get(name)
    if not isinstance(items, list):
        items = holder[name] = []
    if not segments[0].isdigit() or int(segments[0]) > len(items):
        raise _Unrecognized
    index = int(segments[0])
    if len(segments) == 1:
        items[index : index + 1] = [value]
        return
    if not attrs.has(hint):
        raise _Unrecognized
    if index == len(items) or not isinstance(items[index], dict):
        items[index : index + 1] = [{}]
    _set(items[index], hint, segments[1:], value)
