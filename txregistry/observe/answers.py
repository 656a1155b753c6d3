"""The last answers for manifests, for whoever asks why one was a hit or not."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.lru import Lru
from txregistry.interfaces.answers import IAnswers, LastAnswer
from txregistry.interfaces.observe import Exchange, IExchangeObserver

#: Bytes of memory for all answers, and for each beside its texts, about.
MAX_BYTES, ANSWER_BYTES = 1024 * 1024, 400


@implementer(IExchangeObserver, IAnswers)
@attrs.define(eq=False)
class LastAnswers:
    """Remembers the last answer for each URI of a manifest; the oldest ones go first.

    :param clock: shows the time of day.
    """

    _clock: IReactorTime
    _found: Lru[str, LastAnswer] = attrs.field(factory=lambda: Lru(MAX_BYTES))

    def ended(self, exchange: Exchange) -> None:
        """Remember an answer to GET or HEAD of a manifest."""
        if exchange.handler != "manifest" or exchange.method not in ("GET", "HEAD"):
            return
        status, uri = exchange.cache_status, exchange.uri
        answer = LastAnswer(self._clock.seconds(), exchange.status, status)
        self._found.put(uri, answer, len(uri) + len(status) + ANSWER_BYTES)

    def answers(self, part: str) -> Iterator[tuple[str, LastAnswer]]:
        """Give URIs with their last answers; see :class:`IAnswers`."""
        return (item for item in self._found.items() if part in item[0])
