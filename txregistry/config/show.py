"""Print the effective configuration without its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import attrs

from txregistry.config.access import Auth
from txregistry.config.declare import declared
from txregistry.config.fields import (
    Duration,
    Size,
    format_size,
    is_secret,
    spoken_duration,
)
from txregistry.config.middleware import SHIPPED, StorageItem
from txregistry.config.model import Config
from txregistry.config.storage import Storage
from txregistry.spec.weburl import MASK, masked_url, masked_userinfo


def effective(config: Config) -> dict[str, Any]:
    """Give the configuration as a mapping, in the form of the file."""
    return _section(config)


def _section(value: Any) -> dict[str, Any]:
    hints = get_type_hints(type(value))
    found: dict[str, Any] = {}
    for field in attrs.fields(type(value)):
        item = getattr(value, field.name)
        if item is None:
            continue
        if declared(field).is_secret:
            found[field.name] = MASK if item else ""
        elif declared(field).is_url:
            found[field.name] = masked_url(item)
        elif isinstance(item, Storage):
            found[field.name] = _storage(item)
        elif isinstance(item, Auth):
            found[field.name] = _auth(item)
        else:
            found[field.name] = _plain(item, hints[field.name])
    if isinstance(value, StorageItem) and value.name in SHIPPED and not value.disabled:
        options = SHIPPED[value.name](**value.options)  # type: ignore[arg-type]
        found["options"] = _section(options)
    return found


def _storage(storage: Storage) -> dict[str, Any]:
    sections = _section(storage)
    parameters = sections.pop("parameters")
    return {sections.pop("driver"): _masked(parameters), **sections}


def _auth(auth: Auth) -> dict[str, Any]:
    return {auth.controller: _masked(auth.parameters)} if auth.controller else {}


def _plain(value: Any, hint: Any) -> Any:
    if attrs.has(type(value)):
        return _section(value)
    if hint in (Duration, Duration | None):
        return spoken_duration(value)
    if hint is Size:
        return format_size(value)
    if hint is object:
        return _masked(value)
    if isinstance(value, str):
        return masked_userinfo(value)
    if isinstance(value, Mapping):
        return {name: _plain(item, None) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item, None) for item in value]
    return value


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: MASK if item and is_secret(name) else _masked(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return masked_userinfo(value) if isinstance(value, str) else value
