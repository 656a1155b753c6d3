"""The audit trail: a line of the log for each change."""

from __future__ import annotations

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.interfaces.audit import AuditEntry, IAudit
from txregistry.observe.escapes import word

#: The namespace of its events, by which an observer finds them.
NAMESPACE = "txregistry.audit"

# Not an attribute of a class, whose loggers have the namespace of the class.
_log = Logger(namespace=NAMESPACE)


@implementer(IAudit)
@attrs.define(eq=False)
class AuditLog:
    """Logs each entry as one event at level ``info``.

    The id of the request is that of all events, from the context.
    """

    def record(self, entry: AuditEntry) -> None:
        """Log an entry."""
        fields = audit_fields(entry)
        # The observers know ``text`` as what is in the message already.
        _log.info("{text}", text=format_audit(fields), audit=True, **fields)


@implementer(IAudit)
@attrs.define(eq=False)
class SilentAudit:
    """Records nothing (``log.audit.disabled``)."""

    def record(self, entry: AuditEntry) -> None:
        """Do nothing."""


def audit_fields(entry: AuditEntry) -> dict[str, str]:
    """Return the fields that are not empty, but for the id of the request."""
    found: dict[str, str] = attrs.asdict(entry)
    del found["request_id"]
    return {name: value for name, value in found.items() if value}


def format_audit(fields: dict[str, str]) -> str:
    """Format fields as ``name=value``; no value can end its field or line."""
    return " ".join(f"{name}={word(value)}" for name, value in fields.items())
