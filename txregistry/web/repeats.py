"""Decides which answers may be given again: see Note [Ready answers] in ``http/ready``.

Every answer in which the upstream had a word makes those about its repository old: a
client that is told of a new manifest does not get the older one after it.
"""

from __future__ import annotations

import attrs

from txregistry.flow.changes import ChangeTimes
from txregistry.spec.cachestatus import CacheStatus
from txregistry.web.events import EventEmitter
from txregistry.web.http.request import RegistryRequest

#: Statuses of answers that another client may be given as well.
_REPEATED = (200, 206, 304)

#: What a cache says of what it has, and need not ask about.
_HIT = CacheStatus(hit=True).headers()["Cache-Status"].encode("ascii")


@attrs.frozen
class Repeats:
    """Permits repeats of answers.

    :param changes: is told what was asked of an upstream.
    """

    _events: EventEmitter
    _changes: ChangeTimes

    def permit(self, request: RegistryRequest, subject: str) -> None:
        """Permit to repeat an answer that is complete, if that is right.

        While somebody listens to events none is: each pull has one of its own.

        :param subject: the repository that it is about; empty for none.
        """
        if self._note_asked(request, subject) or self._events.listening:
            return
        if request.recording is not None and request.code in _REPEATED:
            request.recording.subject = subject

    def failed(self, request: RegistryRequest, subject: str) -> None:
        """Note that a request could not be answered: the upstream may have refused."""
        self._changes.note(subject)

    def _note_asked(self, request: RegistryRequest, subject: str) -> bool:
        """Tell whether an upstream was asked, and note it."""
        found = request.responseHeaders.getRawHeaders(b"Cache-Status", [_HIT])
        was_asked = found != [_HIT]
        if was_asked:
            self._changes.note(subject)
        return was_asked
