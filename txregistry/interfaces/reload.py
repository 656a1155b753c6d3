"""The contract of a reload: apply a changed configuration to the running daemon."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from txregistry.interfaces.audit import Requester


@attrs.frozen
class ReloadReport:
    """The outcome of a reload.

    :ivar changed: keys, or sections whose files changed, that were applied.
    :ivar restart: changed keys that need a restart, with the reason.
    :ivar problems: why nothing was applied; the previous configuration stays in force.
    :ivar warnings: about unknown keys, keys without the expected effect, and what a
        changed key does to what is stored already.
    """

    changed: tuple[str, ...] = ()
    restart: Mapping[str, str] = attrs.field(factory=dict)
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class ReloadRefused(Exception):
    """No reload is possible now; the message says why."""


class IReloader(Interface):
    """Reloads the configuration."""

    def reload(who: Requester) -> Deferred[ReloadReport]:
        """Read the configuration again and apply what needs no restart.

        Requests that come during a reload share the one that follows it.

        :param who: for the log and the audit trail.
        :return: fires with the outcome. Fails with ``ReloadRefused`` while the daemon
            starts or stops. Cancelling does not stop the reload.
        """
