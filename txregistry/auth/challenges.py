"""How clients are told to authenticate, quoted as the strictest of them wants it."""

from __future__ import annotations

from collections.abc import Sequence

from txregistry.interfaces.access import Access
from txregistry.spec.errors import Unauthorized


def quote(text: str) -> str:
    """Quote a parameter (RFC 9110, 5.6.4)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def basic(realm: str) -> str:
    """Ask for a name and a password."""
    return f"Basic realm={quote(realm)}"


def bearer(realm: str, service: str, wanted: Sequence[Access], error: str = "") -> str:
    """Ask for a token; realm first, service always, as jib's pattern has it.

    :param error: ``invalid_token`` or ``insufficient_scope`` (RFC 6750, 3.1).
    """
    parts = [f"realm={quote(realm)}", f"service={quote(service)}"]
    if wanted:
        parts.append(f"scope={quote(scope_of(wanted))}")
    if error:
        parts.append(f"error={quote(error)}")
    return "Bearer " + ",".join(parts)


def scope_of(wanted: Sequence[Access]) -> str:
    """Give the scopes, each resource once with all its actions."""
    actions: dict[tuple[str, str], list[str]] = {}
    for access in wanted:
        known = actions.setdefault((access.kind, access.name), [])
        if access.action not in known:
            known.append(access.action)
    return " ".join(
        f"{kind}:{name}:{','.join(listed)}" for (kind, name), listed in actions.items()
    )


def unauthorized(wanted: Sequence[Access], challenge: str) -> Unauthorized:
    """Make the error, with what was wanted as its detail, as distribution tells it."""
    records = [
        {"Type": item.kind, "Class": "", "Name": item.name, "Action": item.action}
        for item in wanted
    ]
    return Unauthorized(records or None, challenge)
