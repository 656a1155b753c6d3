"""An access controller in one module: each team pushes below its own name."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.auth.challenges import basic, unauthorized
from txregistry.auth.htpasswd import parse_basic
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.interfaces.access import Access, Grant, IAccessController, RequestFacts
from txregistry.spec.errors import Denied


def make(
    parameters: Mapping[str, Any], disk: Disk, clock: IReactorTime
) -> IAccessController:
    """Make it; an entry point of ``txregistry.access_controllers`` names this.

    :raise ValueError: the parameters cannot be used; the daemon then does not start.
    """
    passwords = parameters.get("passwords")
    if not isinstance(passwords, Mapping) or not all(passwords.values()):
        raise ValueError("auth.teams.passwords: expected names with passwords")
    secrets = {str(team): str(word).encode() for team, word in passwords.items()}
    return TeamAccess(str(parameters.get("realm", "registry")), secrets)


@implementer(IAccessController)
@attrs.frozen
class TeamAccess:
    """Lets each team read everything, and change what is below its own name."""

    _realm: str
    _passwords: Mapping[str, bytes]

    @deferred
    async def authorize(self, facts: RequestFacts, wanted: Sequence[Access]) -> Grant:
        """Fire with a grant of exactly what is wanted, or fail."""
        team, password = parse_basic(facts.authorization) or ("", b"")
        expected = self._passwords.get(team, b"")
        if not hmac.compare_digest(expected, password) or not expected:
            raise unauthorized(wanted, basic(self._realm))
        for access in wanted:
            if access.action != "pull" and not access.name.startswith(f"{team}/"):
                raise Denied({"repository": access.name, "action": access.action})
        return Grant(team, everything=False, access=frozenset(wanted))
