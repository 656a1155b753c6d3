"""``WWW-Authenticate`` challenges, in the form that the strictest clients accept."""

from __future__ import annotations

from collections.abc import Sequence

from txregistry.interfaces.access import Access
from txregistry.spec.errors import Unauthorized


def quote(text: str) -> str:
    """Return a parameter's value as a quoted string (RFC 9110, 5.6.4)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def basic(realm: str) -> str:
    """Return a challenge for a user name and a password (RFC 7617)."""
    return f"Basic realm={quote(realm)}"


def bearer(realm: str, service: str, wanted: Sequence[Access], error: str = "") -> str:
    """Return a challenge for a token (distribution's token specification).

    The realm comes first and the service is always there, as jib's pattern requires.

    :param error: ``invalid_token`` or ``insufficient_scope`` (RFC 6750, 3.1); empty for
        none.
    """
    parts = [f"realm={quote(realm)}", f"service={quote(service)}"]
    if wanted:
        parts.append(f"scope={quote(scope_of(wanted))}")
    if error:
        parts.append(f"error={quote(error)}")
    return "Bearer " + ",".join(parts)


def scope_of(wanted: Sequence[Access]) -> str:
    """Return the scopes for this access: each resource once, with all its actions."""
    actions: dict[tuple[str, str], list[str]] = {}
    for access in wanted:
        known = actions.setdefault((access.kind, access.name), [])
        if access.action not in known:
            known.append(access.action)
    return " ".join(
        f"{kind}:{name}:{','.join(listed)}" for (kind, name), listed in actions.items()
    )


def unauthorized(wanted: Sequence[Access], challenge: str) -> Unauthorized:
    """Return the error; its detail lists the wanted access in distribution's form."""
    records = [
        {"Type": item.kind, "Class": "", "Name": item.name, "Action": item.action}
        for item in wanted
    ]
    return Unauthorized(records or None, challenge)
