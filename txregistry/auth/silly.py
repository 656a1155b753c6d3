"""``auth.silly``: any credentials will do; for trying clients out."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txregistry.auth.challenges import bearer, unauthorized
from txregistry.interfaces.access import Access, Grant, IAccessController, RequestFacts
from txregistry.speed.failures import failed


@implementer(IAccessController)
@attrs.frozen
class SillyAccess:
    """Grants everything to whoever sends an ``Authorization`` header."""

    _realm: str
    _service: str

    def authorize(
        self, facts: RequestFacts, wanted: Sequence[Access]
    ) -> Deferred[Grant]:
        """Fire with a grant to ``silly``."""
        if facts.authorization:
            return succeed(Grant("silly"))
        challenge = bearer(self._realm, self._service, wanted)
        return failed(unauthorized(wanted, challenge))
