"""The body of a request, where all of it is at hand."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer


@implementer(IBodyProducer)
@attrs.define(eq=False)
class SmallBody:
    """A small body, written at once: no need to take turns with anybody."""

    _content: bytes = attrs.field(repr=False)

    @property
    def length(self) -> int:
        """Count its bytes."""
        return len(self._content)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write everything."""
        consumer.write(self._content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Have nothing left to hold back."""

    def resumeProducing(self) -> None:
        """Have nothing left to write."""

    def stopProducing(self) -> None:
        """Have nothing left to stop."""
