"""``auth.silly``: accepts any credentials; for testing clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.auth.challenges import bearer, unauthorized
from txregistry.flow.disk import Disk
from txregistry.interfaces.access import (
    Access,
    Grant,
    IAccessController,
    IPeerless,
    RequestFacts,
)
from txregistry.speed.failures import failed


@implementer(IAccessController, IPeerless)
@attrs.frozen
class SillyAccess:
    """Grants everything to requests that have an ``Authorization`` header."""

    _realm: str
    _service: str

    def authorize(
        self, facts: RequestFacts, wanted: Sequence[Access]
    ) -> Deferred[Grant]:
        """Return a Deferred that has fired with a grant to the user ``silly``.

        It has failed with ``Unauthorized`` if the header is missing.
        """
        if facts.authorization:
            return succeed(Grant("silly"))
        challenge = bearer(self._realm, self._service, wanted)
        return failed(unauthorized(wanted, challenge))


def silly(
    parameters: Mapping[str, Any], disk: Disk, clock: IReactorTime
) -> IAccessController:
    """Create the controller that accepts any credentials."""
    return SillyAccess(parameters["realm"], parameters["service"])
