"""Read values of the types that the model declares, and collect problems."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import attrs

from txregistry.config.access import CONTROLLERS, Auth
from txregistry.config.declare import declared
from txregistry.config.fields import (
    Duration,
    Scalar,
    Size,
    is_empty,
    key_text,
    kind_of,
    parse_duration,
    parse_size,
    plain,
)
from txregistry.config.middleware import SHIPPED, MiddlewareItem, StorageItem
from txregistry.config.storage import (
    DRIVER_ALIASES,
    NAMED_DRIVERS,
    Storage,
    is_driver,
)

#: Stands for an unknown driver, once its problem is reported.
_NO_DRIVER = ""

#: Nanoseconds; a bare number below this was probably meant as seconds.
_FEW_NANOSECONDS = 1_000_000

#: Longer ones take long to read.
_NUMBER = re.compile(r"[0-9]{1,18}")

_EXPECTED: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    str: "text",
}


@attrs.define
class Reader:
    """Reads values of declared types and collects their problems.

    An unreadable value is ``attrs.NOTHING``, and its key has its default.
    """

    problems: list[str] = attrs.field(factory=list)
    warnings: list[str] = attrs.field(factory=list)

    def section(self, cls: type[Any], value: object, path: str) -> Any:
        """Read a mapping into one of the model's classes."""
        if is_empty(value) and not isinstance(value, Mapping):
            value = {}
        if not isinstance(value, Mapping):
            return self._wrong(path, "a mapping", value)
        value = {key_text(name): item for name, item in value.items()}
        fields = attrs.fields_dict(cls)
        self._warn_of_unknown(value, list(fields), path)
        if is_empty(value) and not _required(cls) and not _names_any(cls, value):
            return cls()
        hints = get_type_hints(cls)
        read = {
            name: self._field(field, hints[name], value[name], join(path, name))
            for name, field in fields.items()
            if value.get(name) is not None
        }
        for name in _required(cls):
            if name not in read:
                self.problems.append(f"{join(path, name)}: is missing")
        usable = {
            name: item for name, item in read.items() if item is not attrs.NOTHING
        }
        return placeholder(cls, usable)

    def _field(
        self, field: attrs.Attribute[Any], hint: Any, value: object, path: str
    ) -> object:
        if value == "" and hint is str and field.default is not attrs.NOTHING:
            return field.default
        if hint is object and is_empty(value):
            return field.default
        found = self.value(hint, value, path)
        why = declared(field).no_effect
        if why and found != field.default:
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
            is_middleware = issubclass(hint, MiddlewareItem)
            read = self.middleware if is_middleware else self.section
            return read(hint, value, path)
        origin = get_origin(hint)
        if origin in (Union, types.UnionType):
            inner = next(arg for arg in get_args(hint) if arg is not type(None))
            return self.value(inner, value, path)
        if origin is tuple:
            return self._list(get_args(hint)[0], value, path)
        if origin is not None:
            return self._mapping(get_args(hint)[1], value, path)
        if hint in (Duration, Size):
            measured = self._duration if hint is Duration else self._size
            return measured(value, path)
        return self._scalar(hint, value, path)

    def storage(self, value: object, path: str) -> Any:
        """Read the storage section: exactly one driver beside the known keys."""
        if isinstance(value, str):
            value = {value: {}} if value else {}
        if not isinstance(value, Mapping):
            return self._wrong(path, "a driver's name or a mapping", value)
        value = {key_text(name): item for name, item in value.items()}
        drivers = [name for name in value if is_driver(name)]
        if len(drivers) != 1:
            listed = ", ".join(drivers) or "none"
            self.problems.append(f"{path}: expected exactly one driver, found {listed}")
            rest = {name: value[name] for name in value if name not in drivers}
            return self.section(Storage, {"driver": _NO_DRIVER, **rest}, path)
        (driver,) = drivers
        parameters = value.pop(driver)
        name = DRIVER_ALIASES.get(driver, driver)
        found = self.section(Storage, {"driver": name, **value}, path)
        given = self._parameters(parameters, join(path, driver))
        keys = NAMED_DRIVERS.get(driver)
        if keys is not None:
            # They stay as they are: a driver gets what stands in the file, no defaults.
            self.section(keys, _with_numbers(given), join(path, driver))
        return attrs.evolve(found, parameters=given)

    def auth(self, value: object, path: str) -> Any:
        """Read the auth section: at most one controller; built-in ones are typed.

        A named controller counts even if its parameters are incomplete: without one,
        everybody would have access.
        """
        if isinstance(value, str):
            value = {value: {}} if value else {}
        if not isinstance(value, Mapping):
            return self._wrong(path, "a controller's name or a mapping", value)
        names = [key_text(name) for name in value]
        if len(names) > 1:
            listed = ", ".join(names)
            self.problems.append(f"{path}: expected one controller, found {listed}")
            return attrs.NOTHING
        if not names or names[0].lower() == "none":
            return Auth()
        (name,), (parameters,), inner = names, value.values(), join(path, names[0])
        if name not in CONTROLLERS:
            return Auth(name, self._parameters(parameters, inner))
        found = self.section(CONTROLLERS[name], parameters, inner)
        return Auth(name, {} if found is attrs.NOTHING else attrs.asdict(found))

    def middleware(self, hint: Any, value: object, path: str) -> Any:
        """Read a middleware; options of our own are typed, unless it is disabled."""
        found = self.section(hint, value, path)
        if found is attrs.NOTHING or not isinstance(value, Mapping):
            return found
        named = {key_text(name): item for name, item in value.items()}
        given, inner = named.get("options"), join(path, "options")
        if hint is not StorageItem or found.disabled or found.name not in SHIPPED:
            return attrs.evolve(found, options=self._parameters(given, inner))
        options = self.section(SHIPPED[found.name], given, inner)
        known = {} if options is attrs.NOTHING else attrs.asdict(options)
        return attrs.evolve(found, options=known)

    def _parameters(self, value: object, path: str) -> Mapping[str, object]:
        if is_empty(value) and not isinstance(value, Mapping):
            return {}
        if not isinstance(value, Mapping):
            self._wrong(path, "a mapping", value)
            return {}
        return cast("Mapping[str, object]", plain(value))

    def _duration(self, value: object, path: str) -> Any:
        if isinstance(value, Scalar):
            # YAML reads 1:30 as a number to the base of 60, and Go does not.
            value = value.text if ":" in value.text else value.value
        try:
            found = parse_duration(value)
        except ValueError as error:
            self.problems.append(f"{path}: {error}, found {_shown(value)}")
            return attrs.NOTHING
        if isinstance(value, int) and 0 < value < _FEW_NANOSECONDS:
            self.warnings.append(
                f"{path}: {value} is in nanoseconds, as in Go; for seconds write"
                f" {value}s"
            )
        return found

    def _size(self, value: object, path: str) -> Any:
        # 0x10 and 1e3 are numbers to YAML, and no sizes.
        text = value.text if isinstance(value, Scalar) else value
        try:
            return parse_size(text)
        except ValueError as error:
            self.problems.append(f"{path}: {error}, found {_shown(text)}")
            return attrs.NOTHING

    def _scalar(self, hint: Any, value: object, path: str) -> object:
        if isinstance(value, Scalar):
            value = value.text if hint is str else value.value
        if hint is str and value is None:
            return ""
        if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
            return value
        return self._wrong(path, _EXPECTED[hint], value)

    def _list(self, hint: Any, value: object, path: str) -> Any:
        if value == "":
            return ()
        if not isinstance(value, list):
            return self._wrong(path, "a list", value)
        found = []
        for index, item in enumerate(value):
            inner = f"{path}[{index}]"
            if attrs.has(hint) and is_empty(item):
                self.warnings.append(f"{inner}: is empty and is ignored")
                continue
            read = self.value(hint, item, inner)
            # Problems of the other items name their positions in the list.
            found.append(placeholder(hint) if read is attrs.NOTHING else read)
        return tuple(found)

    def _mapping(self, hint: Any, value: object, path: str) -> Any:
        if value == "":
            return {}
        if not isinstance(value, Mapping):
            return self._wrong(path, "a mapping", value)
        read = {
            key_text(name): self.value(hint, item, join(path, key_text(name)))
            for name, item in value.items()
        }
        return {name: item for name, item in read.items() if item is not attrs.NOTHING}

    def _wrong(self, path: str, expected: str, value: object) -> Any:
        self.problems.append(f"{path}: expected {expected}, found {kind_of(value)}")
        return attrs.NOTHING

    def _warn_of_unknown(
        self, value: Mapping[str, Any], known: list[str], path: str
    ) -> None:
        for name in value:
            if name not in known:
                near = get_close_matches(name.lower(), known, 1)
                hint = f"; did you mean {join(path, near[0])}?" if near else ""
                self.warnings.append(
                    f"{join(path, name)}: is not a known key and is ignored{hint}"
                )


def _with_numbers(parameters: Mapping[str, object]) -> Mapping[str, object]:
    """Read numbers in quotes, which distribution takes as parameters of drivers."""
    return {
        name: int(item) if isinstance(item, str) and _NUMBER.fullmatch(item) else item
        for name, item in parameters.items()
    }


def _shown(value: object) -> str:
    """Give a value for a message: itself if it is short and plain."""
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return repr(value) if is_plain else kind_of(value)


def _required(cls: type[Any]) -> list[str]:
    return [item.name for item in attrs.fields(cls) if item.default is attrs.NOTHING]


def _names_any(cls: type[Any], value: Mapping[str, Any]) -> bool:
    """Tell if a mapping to sections has any: an empty one has its key all the same."""
    named = (value.get(item.name) for item in attrs.fields(cls) if declared(item).like)
    return any(isinstance(sections, Mapping) and sections for sections in named)


def placeholder(hint: Any, found: Mapping[str, Any] | None = None) -> Any:
    """Give a value of a type of which some or all could not be read.

    :param found: the readable part, if it is a section.
    """
    if not attrs.has(hint):
        return ""
    hints = get_type_hints(hint)
    missing = {name: placeholder(hints[name]) for name in _required(hint)}
    return hint(**{**missing, **(found or {})})


def join(path: str, name: str) -> str:
    """Give the path of a key in a section."""
    return f"{path}.{name}" if path else name
