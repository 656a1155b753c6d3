"""Which repositories of an upstream do not support HEAD for manifests."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime

from txregistry.flow.lru import Lru
from txregistry.spec.reference import RepositoryName

#: Seconds after which HEAD is tried again.
REMEMBERED_SECONDS = 3600.0

#: Repositories that are remembered; the oldest is evicted first.
MAX_REPOSITORIES = 10_000

#: Repositories in a row without HEAD after which the whole upstream counts as such.
UPSTREAM_THRESHOLD = 3


@attrs.define(eq=False)
class HeadSupport:
    """Repositories that answer GET for a manifest, but not HEAD.

    After :data:`UPSTREAM_THRESHOLD` of them in a row, HEAD is sent to no repository of
    the upstream until :data:`REMEMBERED_SECONDS` have passed.
    """

    _clock: IReactorTime
    _refused: Lru[RepositoryName, float] = attrs.field(
        factory=lambda: Lru(MAX_REPOSITORIES)
    )
    _unconfirmed: Lru[RepositoryName, bool] = attrs.field(
        factory=lambda: Lru(MAX_REPOSITORIES)
    )
    _consecutive: set[RepositoryName] = attrs.field(factory=set)
    _refused_at: float = 0.0

    def supports_head(self, name: RepositoryName) -> bool:
        """Return whether to try HEAD."""
        if len(self._consecutive) >= UPSTREAM_THRESHOLD and self._is_recent(
            self._refused_at
        ):
            return False
        refused_at = self._refused.peek(name)
        return refused_at is None or not self._is_recent(refused_at)

    def head_refused(self, name: RepositoryName) -> None:
        """Record a status for HEAD that may mean that HEAD is not supported."""
        self._unconfirmed.put(name, True)

    def get_answered(self, name: RepositoryName) -> None:
        """Record that GET succeeded: if HEAD was refused, it is not supported."""
        if self._unconfirmed.pop(name) is None:
            return
        self._refused_at = self._clock.seconds()
        self._refused.put(name, self._refused_at)
        if len(self._consecutive) < UPSTREAM_THRESHOLD:
            self._consecutive.add(name)

    def head_answered(self, name: RepositoryName) -> None:
        """Record that HEAD succeeded."""
        self._consecutive.clear()
        self._unconfirmed.pop(name)
        self._refused.pop(name)

    def _is_recent(self, seconds: float) -> bool:
        return self._clock.seconds() - seconds < REMEMBERED_SECONDS
