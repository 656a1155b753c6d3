"""A JSON schema of the configuration (draft 2020-12), made of the declarations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import attrs

from txregistry.config.access import CONTROLLER_DOCS, CONTROLLERS, Auth
from txregistry.config.declare import Declared, declared
from txregistry.config.fields import TWIN, Duration, Size
from txregistry.config.middleware import SHIPPED, StorageItem
from txregistry.config.model import Config
from txregistry.config.storage import DRIVER_DOCS, DRIVERS, Storage, is_driver
from txregistry.config.table import default_of, find_key, without_none

Schema = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

_DURATION = r"^\+?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w))+)$"

_SIZE = r"^\d+(\.\d*)? ?([KMGT]i?B|kB|B)?$"

#: What YAML may read a plain text as.
_TEXT = ("string", "number", "boolean")

#: As good as no value.
_EMPTY = (None, "")

#: Controllers need more than their required keys: one of these.
_ONE_OF = {"token": ("rootcertbundle", "jwks")}


def schema(
    drivers: Collection[str] = (),
    controllers: Collection[str] = (),
    is_strict: bool = False,
) -> Schema:
    """Give the schema.

    What it refuses the daemon refuses, but not the other way round: addresses, URLs and
    files are not looked at. Keys that are unknown, which the daemon warns of, are
    refused if it is strict.

    :param drivers: further ones, whose parameters are not known.
    :param controllers: likewise.
    """
    maker = _Maker(
        {name: DRIVERS.get(name) for name in (*DRIVERS, *sorted(drivers))},
        {name: CONTROLLERS.get(name) for name in (*CONTROLLERS, *sorted(controllers))},
        is_strict,
    )
    head = {"$schema": _DRAFT, "title": "Configuration of txregistry"}
    return {**head, **maker.section(Config, ""), "type": "object"}


@attrs.frozen
class _Maker:
    """Makes the schema of each type of the model.

    :ivar drivers: their parameters by name; none where these are not known.
    """

    _drivers: Mapping[str, type[Any] | None]
    _controllers: Mapping[str, type[Any] | None]
    _is_strict: bool

    def section(self, cls: type[Any], path: str) -> Schema:
        """Give the schema of a class of the model."""
        hints = get_type_hints(cls)
        properties: Schema = {}
        rules: list[Schema] = []
        required = []
        for field in attrs.fields(cls):
            known, name = declared(field), field.name
            if cls is Storage and is_driver(name):
                continue
            inner = f"{path}.{name}" if path else name
            properties[name] = self._key(field, hints[name], inner)
            is_required = field.default is attrs.NOTHING
            if known.in_file:
                twin = name + TWIN
                properties[twin] = self._twin(hints[name], f"{inner}{TWIN}")
                rules += _rules_of_twin(name, hints[name], is_required)
            elif is_required:
                required.append(name)
        if cls is StorageItem:
            properties["options"]["properties"] = _options(f"{path}.options")
        is_needed = any(field.default is attrs.NOTHING for field in attrs.fields(cls))
        found = self._mapping(properties, is_needed)
        return found | _given("required", required) | _given("allOf", rules)

    def _mapping(self, properties: Schema, is_needed: bool) -> Schema:
        kind: Schema = {"type": "object"}
        if not is_needed:
            kind = {"type": ["object", "null", "string"], "maxLength": 0}
        return {
            **kind,
            "properties": properties,
            **_given("additionalProperties", False if self._is_strict else None),
        }

    def _key(self, field: attrs.Attribute[Any], hint: Any, path: str) -> Schema:
        known = declared(field)
        found = self._value(without_none(hint), known, path)
        if field.default is not attrs.NOTHING:
            found = _or_nothing(found)
            default = default_of(field, hint)
            found |= _given("default", default if default != "" else None)
        return found | _described(path, known)

    def _value(self, hint: Any, known: Declared, path: str) -> Schema:
        if hint is object:
            return {}
        if hint is Storage:
            return self._storage(path)
        if hint is Auth:
            return self._auth(path)
        if attrs.has(hint):
            return self.section(hint, path)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is tuple:
            items = self._value(arguments[0], known, f"{path}[]")
            return {"type": ["array", "string"], "maxLength": 0, "items": items}
        if origin is not None:
            items = self._value(arguments[1], Declared(), known.like or path)
            return {
                "type": ["object", "string"],
                "maxLength": 0,
                "additionalProperties": items,
            }
        return _scalar(hint, known)

    def _twin(self, hint: Any, path: str) -> Schema:
        row = find_key(path)
        assert row is not None, "the table has each twin"
        entry = Mapping[str, str] if hint is not str else str
        found = _or_nothing(self._value(entry, Declared(), path))
        return found | _described(path, row.known)

    def _storage(self, path: str) -> Schema:
        whole = self.section(Storage, path)
        for name, cls in self._drivers.items():
            inner = f"{path}.{name}"
            parameters: Schema = {} if cls is None else self.section(cls, inner)
            _loosen_numbers(parameters)
            doc = DRIVER_DOCS.get(name, "A driver of a package.")
            whole["properties"][name] = {**parameters, "description": doc}
        one = [{"required": [name]} for name in self._drivers]
        # Any other name would be one more driver.
        mapping = {**whole, "type": "object", "additionalProperties": False}
        return {"anyOf": [{"enum": list(self._drivers)}, {**mapping, "oneOf": one}]}

    def _auth(self, path: str) -> Schema:
        properties: Schema = {"none": {}}
        for name, cls in self._controllers.items():
            found: Schema = {} if cls is None else self.section(cls, f"{path}.{name}")
            if name in _ONE_OF:
                found["anyOf"] = [{"required": [key]} for key in _ONE_OF[name]]
            doc = CONTROLLER_DOCS.get(name, "An access controller of a package.")
            properties[name] = {**found, "description": doc}
        bare = [name for name, cls in self._controllers.items() if cls is None]
        mapping = {
            "type": "object",
            "maxProperties": 1,
            "properties": properties,
            "additionalProperties": False,
        }
        return {"anyOf": [{"enum": [*_EMPTY, "none", *bare]}, mapping]}


def _options(path: str) -> Schema:
    """Describe the options of our own middleware, which others may have otherwise."""
    fields = [field for cls in SHIPPED.values() for field in attrs.fields(cls)]
    return {
        field.name: _described(f"{path}.{field.name}", declared(field))
        for field in fields
    }


def _scalar(hint: Any, known: Declared) -> Schema:
    if hint is Duration:
        return {"type": ["string", "integer"], "pattern": _DURATION, "minimum": 0}
    if hint is Size:
        return {"type": ["string", "integer"], "pattern": _SIZE, "minimum": 0}
    if hint is bool:
        return {"type": "boolean"}
    if hint is int:
        return {"type": "integer"} | _given("minimum", known.minimum)
    if known.choices:
        # YAML reads 0.1 as a number.
        numbers = [float(c) for c in known.choices if c[:1].isdigit()]
        return {"enum": [choice for choice in known.choices if choice] + numbers}
    return {"type": list(_TEXT)}


def _or_nothing(found: Schema) -> Schema:
    """Let a key have no value, as one that is not there."""
    if "enum" in found:
        empty = [value for value in _EMPTY if value not in found["enum"]]
        return {**found, "enum": [*found["enum"], *empty]}
    kinds = found.get("type")
    if kinds is None:
        return found
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return {**found, "type": [*kinds, *({"null"} - set(kinds))]}


def _loosen_numbers(section: Schema) -> None:
    """Take numbers in quotes, as distribution does of parameters of drivers."""
    for found in section.get("properties", {}).values():
        # A size is a text already, with a unit or without.
        if "integer" in found.get("type", ()) and "string" not in found["type"]:
            found["type"] = [*found["type"], "string"]
            found["pattern"] = "^[0-9]+$"


def _rules_of_twin(name: str, hint: Any, is_required: bool) -> list[Schema]:
    """Exclude a text together with the file of one, or ask for one of the two."""
    twin = name + TWIN
    rules: list[Schema] = []
    if is_required:
        rules.append({"anyOf": [{"required": [name]}, {"required": [twin]}]})
    if hint is str:
        filled = {"required": [name], "properties": {name: {"not": _no_value()}}}
        rules.append({"if": filled, "then": {"properties": {twin: _no_value()}}})
    return rules


def _no_value() -> Schema:
    return {"enum": list(_EMPTY)}


def _given(name: str, value: Any) -> Schema:
    return {} if value is None or value == [] else {name: value}


def _described(path: str, known: Declared) -> Schema:
    row = find_key(path)
    assert row is not None, "the table has each key"
    found: Schema = {"description": row.doc}
    if known.no_effect:
        found["description"] += f" No effect here: {known.no_effect}."
    if known.newer or known.no_effect:
        found["deprecated"] = True
    return found
