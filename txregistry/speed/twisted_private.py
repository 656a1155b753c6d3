"""What is private to Twisted's Deferreds, under names of ours."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import DebugInfo, Deferred
from twisted.python.failure import Failure

from txregistry.private_names import require_names

require_names(Deferred(), "_debugInfo")
require_names(DebugInfo(), "failResult")


def hold_failure(deferred: Deferred[Any], failure: Failure) -> None:
    """Have a new Deferred failed, as ``errback`` does while nobody could be told.

    Unlike that, it does not touch the failure's traceback.
    """
    deferred.called = True
    deferred.result = failure
    deferred._debugInfo = deferred._debugInfo or DebugInfo()
    deferred._debugInfo.failResult = failure


def mark_failure_seen(deferred: Deferred[Any]) -> None:
    """Have a Deferred that has failed not logged as one whose failure nobody saw."""
    assert deferred._debugInfo is not None
    deferred._debugInfo.failResult = None
