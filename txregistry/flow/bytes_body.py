"""A request body that is already in memory."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer


@implementer(IBodyProducer)
@attrs.define(eq=False)
class SmallBody:
    """Writes all its bytes in one call, without a cooperator."""

    _content: bytes = attrs.field(repr=False)

    @property
    def length(self) -> int:
        """The length in bytes."""
        return len(self._content)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write everything; the Deferred has fired."""
        consumer.write(self._content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Do nothing: everything was written."""

    def resumeProducing(self) -> None:
        """Do nothing: everything was written."""

    def stopProducing(self) -> None:
        """Do nothing: everything was written."""
