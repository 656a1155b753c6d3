"""Values of :mod:`attrs` as values of JSON (pure)."""

from __future__ import annotations

from enum import Enum
from typing import Any

import attrs

from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag


def as_values(report: Any) -> dict[str, Any]:
    """Return the fields of a value; enumerations as their values, names as text."""
    return attrs.asdict(report, value_serializer=_plain)


def _plain(instance: Any, field: Any, value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Digest | RepositoryName | Tag):
        return str(value)
    return value
