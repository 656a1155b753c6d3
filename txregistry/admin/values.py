"""Reports as values of JSON, and outcomes for the audit trail (pure)."""

from __future__ import annotations

from enum import Enum
from typing import Any

import attrs
from twisted.internet.defer import CancelledError

from txregistry.interfaces.audit import FAILED, REFUSED, STOPPED


def as_values(report: Any) -> dict[str, Any]:
    """Return the fields of a report of :mod:`attrs`; enumerations as their values."""
    return attrs.asdict(report, value_serializer=_plain)


def _plain(instance: Any, field: Any, value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def outcome_of(error: BaseException, refusal: type[Exception]) -> str:
    """Return the outcome of work that has failed, for an :class:`AuditEntry`.

    :param refusal: what the work fails with if it is not begun.
    """
    if isinstance(error, CancelledError):
        return STOPPED
    return REFUSED if isinstance(error, refusal) else FAILED
