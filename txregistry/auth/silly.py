"""``auth.silly``: accepts any credentials; for testing clients."""

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
