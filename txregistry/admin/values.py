"""Outcomes of work for the audit trail (pure)."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from txregistry.interfaces.audit import FAILED, REFUSED, STOPPED


def outcome_of(error: BaseException, refusal: type[Exception]) -> str:
    """Return the outcome of work that has failed, for an :class:`AuditEntry`.

    :param refusal: what the work fails with if it is not begun.
    """
    if isinstance(error, CancelledError):
        return STOPPED
    return REFUSED if isinstance(error, refusal) else FAILED
