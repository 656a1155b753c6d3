"""Contract for the record of who changed what."""

from __future__ import annotations

import attrs
from zope.interface import Interface

#: Outcome of what succeeded; any other one is the code of an error, or one of those
#: below: it failed by no fault that has a code, was not begun, or was ended early.
DONE = "done"
FAILED, REFUSED, STOPPED = "FAILED", "REFUSED", "STOPPED"


@attrs.frozen
class Requester:
    """Who asks for work by another way than HTTP.

    :ivar who: the user of the machine, or the signal that came.
    :ivar peer: ``pid:`` and the number of the process; empty if it is not known.
    """

    who: str
    peer: str = ""

    def __str__(self) -> str:
        return f"{self.who} ({self.peer})" if self.peer else self.who


@attrs.frozen
class AuditEntry:
    """One change, or an attempt at one. All texts may come from a client.

    :ivar action: ``push``, ``mount``, ``delete``, ``purge``, ``collect``, ``verify``,
        ``reload``, …
    :ivar outcome: :data:`DONE`, or the code of the error for which nothing changed.
    :ivar who: the authenticated user, or that of a :class:`Requester`; empty if nobody
        asked, or for the daemon itself.
    :ivar peer: the address of the client; empty for the daemon itself.
    :ivar kind: ``blob``, ``manifest`` or ``tag``; empty for anything else.
    :ivar digest: of the content, where it is known.
    :ivar detail: anything else, as short text.
    """

    action: str
    outcome: str = DONE
    who: str = ""
    peer: str = ""
    kind: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""
    detail: str = ""
    request_id: str = ""


class IAudit(Interface):
    """Records changes."""

    def record(entry: AuditEntry) -> None:
        """Record a change; never waits, never fails.

        The time is that of the call.
        """
