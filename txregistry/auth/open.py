"""No access control: everybody may do everything."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txregistry.interfaces.access import Access, Grant, IAccessController, RequestFacts

_EVERYTHING = Grant()


@implementer(IAccessController)
@attrs.frozen
class OpenAccess:
    """Grants whatever is wanted to nobody in particular."""

    def authorize(
        self, facts: RequestFacts, wanted: Sequence[Access]
    ) -> Deferred[Grant]:
        """Fire with a grant."""
        return succeed(_EVERYTHING)
