"""From an untyped mapping to a :class:`Config`, collecting every problem."""

from __future__ import annotations

import types
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import attrs

from txregistry.config.access import CONTROLLERS, Auth
from txregistry.config.aliases import apply_aliases
from txregistry.config.check import check, remarks
from txregistry.config.fields import (
    NO_EFFECT,
    Duration,
    Scalar,
    parse_duration,
    plain,
)
from txregistry.config.model import Config
from txregistry.config.storage import Storage

_STORAGE_SECTIONS = frozenset(
    field.name
    for field in attrs.fields(Storage)
    if field.name not in ("driver", "parameters")
)


class ConfigurationError(Exception):
    """The configuration cannot be used; one line per problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@attrs.define
class Reader:
    """Reads values of declared types and keeps what was wrong with them."""

    problems: list[str] = attrs.field(factory=list)
    warnings: list[str] = attrs.field(factory=list)

    def section(self, cls: type[Any], value: object, path: str) -> Any:
        """Read a mapping into one of the model's classes."""
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            self._wrong(path, "a mapping", value)
            return None
        value = {str(plain(name)): item for name, item in value.items()}
        hints = get_type_hints(cls)
        fields = attrs.fields_dict(cls)
        self._warn_of_unknown(value, list(fields), path)
        found = {
            name: self._field(field, hints[name], value[name], _join(path, name))
            for name, field in fields.items()
            if name in value
        }
        missing = [
            name
            for name, field in fields.items()
            if field.default is attrs.NOTHING and name not in found
        ]
        for name in missing:
            self.problems.append(f"{_join(path, name)}: is missing")
        return None if missing else cls(**found)

    def _field(
        self, field: attrs.Attribute[Any], hint: Any, value: object, path: str
    ) -> object:
        found = self.value(hint, value, path)
        why = field.metadata.get(NO_EFFECT)
        if why and found != _default(field):
            self.warnings.append(f"{path}: is accepted and has no effect: {why}")
        return found

    def value(self, hint: Any, value: object, path: str) -> Any:
        """Read one value of a declared type."""
        if hint is object:
            return plain(value)
        if hint is Storage:
            return self.storage(value, path)
        if hint is Auth:
            return self.auth(value, path)
        if attrs.has(hint):
            return self.section(hint, value, path)
        origin = get_origin(hint)
        if origin in (Union, types.UnionType):
            inner = next(arg for arg in get_args(hint) if arg is not type(None))
            return None if value is None else self.value(inner, value, path)
        if origin is tuple:
            return self._list(get_args(hint)[0], value, path)
        if origin is not None:
            return self._mapping(get_args(hint)[1], value, path)
        return self._scalar(hint, value, path)

    def storage(self, value: object, path: str) -> Storage | None:
        """Read the storage section: exactly one driver beside the known keys."""
        if isinstance(value, str):
            value = {value: {}}
        if not isinstance(value, Mapping):
            self._wrong(path, "a driver's name or a mapping", value)
            return None
        drivers = [str(name) for name in value if name not in _STORAGE_SECTIONS]
        if len(drivers) != 1:
            listed = ", ".join(drivers) or "none"
            self.problems.append(f"{path}: expected exactly one driver, found {listed}")
            return None
        rest = {name: item for name, item in value.items() if name != drivers[0]}
        parameters = value[drivers[0]]
        if parameters is not None and not isinstance(parameters, Mapping):
            self._wrong(_join(path, drivers[0]), "a mapping", parameters)
        rest |= {"driver": drivers[0], "parameters": parameters or {}}
        return cast("Storage | None", self.section(Storage, rest, path))

    def auth(self, value: object, path: str) -> Auth | None:
        """Read the auth section: at most one controller; ours are typed."""
        if isinstance(value, str):
            value = {value: {}}
        if value is None:
            return Auth()
        if not isinstance(value, Mapping):
            self._wrong(path, "a controller's name or a mapping", value)
            return None
        names = [str(name) for name in value]
        if len(names) > 1:
            listed = ", ".join(names)
            self.problems.append(f"{path}: expected one controller, found {listed}")
            return None
        if not names or names == ["none"]:
            return Auth()
        (name,), parameters = names, next(iter(value.values()))
        return Auth(name, self._parameters(name, parameters, _join(path, name)))

    def _parameters(self, name: str, value: object, path: str) -> Mapping[str, object]:
        if name in CONTROLLERS:
            found = self.section(CONTROLLERS[name], value, path)
            return {} if found is None else attrs.asdict(found)
        if value is not None and not isinstance(value, Mapping):
            self._wrong(path, "a mapping", value)
        return cast("Mapping[str, object]", plain(value or {}))

    def _scalar(self, hint: Any, value: object, path: str) -> object:
        if hint is Duration:
            try:
                return parse_duration(plain(value))
            except ValueError as error:
                self.problems.append(f"{path}: {error}, found {value!r}")
                return Duration(0.0)
        if isinstance(value, Scalar):
            value = value.text if hint is str else value.value
        if hint is str and value is None:
            return ""
        if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
            return value
        expected = {bool: "true or false", int: "a whole number", str: "text"}
        self._wrong(path, expected[hint], value)
        return None

    def _list(self, hint: Any, value: object, path: str) -> tuple[object, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            self._wrong(path, "a list", value)
            return ()
        return tuple(
            self.value(hint, item, f"{path}[{index}]")
            for index, item in enumerate(value)
        )

    def _mapping(self, hint: Any, value: object, path: str) -> dict[str, object]:
        if value is None:
            return {}
        if hint is object and isinstance(value, Mapping):
            return {str(plain(name)): plain(item) for name, item in value.items()}
        if not isinstance(value, Mapping):
            self._wrong(path, "a mapping", value)
            return {}
        return {
            str(plain(name)): self.value(hint, item, _join(path, str(plain(name))))
            for name, item in value.items()
        }

    def _wrong(self, path: str, expected: str, value: object) -> None:
        value = plain(value)
        found = type(value).__name__ if value is not None else "nothing"
        self.problems.append(f"{path}: expected {expected}, found {found}")

    def _warn_of_unknown(
        self, value: Mapping[Any, Any], known: list[str], path: str
    ) -> None:
        for name in value:
            if name not in known:
                near = get_close_matches(str(name).lower(), known, 1)
                hint = f"; did you mean {_join(path, near[0])}?" if near else ""
                self.warnings.append(
                    f"{_join(path, str(name))}: is not a known key and is ignored{hint}"
                )


def _default(field: attrs.Attribute[Any]) -> object:
    default: Any = field.default
    return default.factory() if hasattr(default, "factory") else default


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def read_config(mapping: object) -> tuple[Config, list[str]]:
    """Read the configuration.

    :return: the value, and warnings of keys that are unknown or have no effect.
    :raise ConfigurationError: with every problem, each with its key's path.
    """
    reader = Reader()
    config = reader.section(Config, mapping, "")
    if config is not None and not reader.problems:
        config = apply_aliases(config)
        reader.problems += check(config)
        reader.warnings += remarks(config)
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return cast(Config, config), reader.warnings
