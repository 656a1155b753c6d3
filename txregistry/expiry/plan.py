"""When things are due (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from txregistry.interfaces.expiry import Entry
from txregistry.spec.reference import RepositoryName

#: Entries taken from the ledger at a time.
BATCH = 100

#: Seconds that a tick works at most, so that serving comes first.
TICK_SECONDS = 1.0


def keep_nothing(name: RepositoryName) -> bool:
    """Tell that a repository's content may expire."""
    return False


@attrs.frozen
class ExpiryPlan:
    """The times to live, counted from the last use.

    :ivar ttl_seconds: of the default upstream; 0 keeps everything for ever.
    :ivar others: of further upstreams, by the first component of their repositories.
    :ivar is_kept: tells of a local repository, whose content never expires.
    """

    ttl_seconds: float
    others: Mapping[str, float] = attrs.field(factory=dict)
    is_kept: Callable[[RepositoryName], bool] = keep_nothing

    @property
    def expires(self) -> bool:
        """Tell whether anything ever expires."""
        return self._shortest > 0

    @property
    def interval_seconds(self) -> float:
        """Give the seconds between two ticks: a tenth of the time to live, 1 to 60."""
        return min(60.0, max(1.0, self._shortest / 10))

    @property
    def _shortest(self) -> float:
        lives = (self.ttl_seconds, *self.others.values())
        return min((life for life in lives if life > 0), default=0.0)

    def ttl_of(self, name: RepositoryName) -> float:
        """Give the seconds that a repository's content lives; 0 for ever."""
        if self.is_kept(name):
            return 0.0
        return self.others.get(name.text.partition("/")[0], self.ttl_seconds)

    def cutoff(self, now: float) -> float:
        """Give the time before which a last use may make an entry due."""
        return now - self._shortest

    def is_due(self, entry: Entry, now: float) -> bool:
        """Tell whether an entry is due."""
        ttl = self.ttl_of(entry.key.repository)
        return ttl > 0 and entry.last_use < now - ttl

    def expiry(self, name: RepositoryName, last_use: float) -> float:
        """Give when an entry of a repository, last used at a time, is due."""
        return last_use + self.ttl_of(name)

    def last_use(self, name: RepositoryName, expiry: float) -> float:
        """Give the last use of an entry of a repository that is due at a time."""
        return expiry - self.ttl_of(name)
