"""What becomes of what cannot be stored, and who is told."""

from __future__ import annotations

from math import inf

import attrs
from twisted.logger import Logger

from txregistry.interfaces.driver import DriverError, refused_by_disk
from txregistry.interfaces.observe import Count, IMeter
from txregistry.spec.errors import CacheFull

#: Seconds for which a disk that has refused something is not tried again: what a fill
#: downloads until it is refused comes twice.
REFUSED_SECONDS = 5.0

#: Seconds between two warnings.
WARNING_SECONDS = 60.0


def explained(error: Exception) -> Exception:
    """Give an error itself, or ``CacheFull`` if it means that the disk refuses."""
    if not isinstance(error, DriverError) or not refused_by_disk(error):
        return error
    found = CacheFull({"reason": f"storage: {error.reason}"})
    found.__cause__ = error
    return found


@attrs.define(eq=False)
class Passing:
    """The rule of a cache for blobs that its disk refuses, or has no room for.

    :ivar is_allowed: clients get them from the upstream; otherwise they get 503.
    """

    is_allowed: bool = True
    _told_at: float = -inf
    _untold: int = 0
    _refused_at: float = -inf
    _log = Logger()

    def refused(self, now: float) -> None:
        """Record that the disk has refused something.

        :param now: in seconds.
        """
        self._refused_at = now

    def expects_refusal(self, now: float) -> bool:
        """Tell whether the disk has refused something a moment ago."""
        return 0 <= now - self._refused_at < REFUSED_SECONDS

    def check(self, meter: IMeter, now: float) -> None:
        """Let no download begin whose bytes the disk would refuse.

        :param now: in seconds.
        :raise CacheFull: the disk has refused something a moment ago.
        """
        if self.expects_refusal(now):
            error = CacheFull({"reason": "the disk refuses"})
            self.tell(meter, "blob", error, now)
            raise error

    def tell(self, meter: IMeter, kind: str, why: BaseException, now: float) -> None:
        """Count something that was not stored; warn, once a minute.

        :param kind: ``blob``, ``manifest`` or ``tag``.
        :param now: in seconds.
        """
        meter.count(Count.UNSTORED, kind)
        self._untold += 1
        # A clock that is set back silences nothing.
        if 0 <= now - self._told_at < WARNING_SECONDS:
            return
        self._log.warn(
            "not stored, and {fate}: {count} since the last warning, the last one a"
            " {kind}: {why}",
            fate="sent from the upstream" if self.is_allowed else "refused",
            count=self._untold,
            kind=kind,
            why=str(why),
        )
        self._told_at, self._untold = now, 0
