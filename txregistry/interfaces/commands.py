"""Contract for what an administrator has done, by whatever way it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from txregistry.interfaces.audit import Requester

#: Called with progress: a mapping that can be written as JSON.
Tell = Callable[[Mapping[str, Any]], None]


class CommandRefused(Exception):
    """The command cannot run now, or not with these options; the message says why."""


class Command(Protocol):
    """One command."""

    def run(
        self, who: Requester, options: Mapping[str, Any], tell: Tell
    ) -> Deferred[dict[str, Any]]:
        """Run the command; fires with a report of JSON values.

        Fails with ``CommandRefused``, or with any other exception, which is logged.
        Cancelling stops it; it may then fire with a report of what was done.

        :param who: for the log and the audit trail.
        """
