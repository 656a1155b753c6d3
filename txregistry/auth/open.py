"""No access control: everyone may do everything."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txregistry.interfaces.access import (
    Access,
    Grant,
    IAccessController,
    IPeerless,
    RequestFacts,
)

_EVERYTHING = Grant()


@implementer(IAccessController, IPeerless)
@attrs.frozen
class OpenAccess:
    """Grants everything, without a user."""

    def authorize(
        self, facts: RequestFacts, wanted: Sequence[Access]
    ) -> Deferred[Grant]:
        """Return a Deferred that has fired with a grant of everything."""
        return succeed(_EVERYTHING)
