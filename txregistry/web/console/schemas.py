"""JSON schemas of values of :mod:`attrs`, from their types (pure)."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag

Schema = dict[str, Any]

_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    Digest: {"type": "string"},
    RepositoryName: {"type": "string"},
    Tag: {"type": "string"},
    Any: {},
}

TEXT, NUMBER, FLAG = _PLAIN[str], _PLAIN[float], _PLAIN[bool]


def schema_of(kind: Any) -> Schema:
    """Return the schema of a type.

    :raise TypeError: it has none, such as a function.
    """
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if isinstance(kind, type) and attrs.has(kind):
        hints = get_type_hints(kind)
        return record(
            **{field.name: schema_of(hints[field.name]) for field in attrs.fields(kind)}
        )
    return _schema_of_generic(kind)


def _schema_of_generic(kind: Any) -> Schema:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(each) for each in inner]}
    if origin in (tuple, list, Sequence):
        return list_of(schema_of(inner[0]))
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": schema_of(inner[1])}
    raise TypeError(f"no schema of {kind}")


def record(**fields: Schema) -> Schema:
    """Return the schema of an object with these fields, all of them and no others."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def list_of(item: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": item}


def maybe(schema: Schema) -> Schema:
    """Return the schema of something that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def without(schema: Schema, *names: str) -> Schema:
    """Return the schema of an object without some fields."""
    kept = {
        name: field for name, field in schema["properties"].items() if name not in names
    }
    return record(**kept)


def extended(schema: Schema, **fields: Schema) -> Schema:
    """Return the schema of an object with further fields."""
    return record(**schema["properties"], **fields)
