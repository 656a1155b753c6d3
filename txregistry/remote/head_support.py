"""What an upstream cannot do, as far as we have seen lately."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime

from txregistry.flow.lru import Lru
from txregistry.spec.reference import RepositoryName

#: For how long it is believed that HEAD is not answered, in seconds.
REMEMBERED_SECONDS = 3600.0

#: Repositories that are remembered; the oldest is forgotten first.
MAX_REPOSITORIES = 10_000

#: So many repositories in a row that answer no HEAD stand for the whole upstream.
UPSTREAM_THRESHOLD = 3


@attrs.define(eq=False)
class HeadSupport:
    """Which repositories of an upstream answer GET of a manifest and not HEAD.

    Each repository speaks for itself, and several in a row for the upstream, until one
    does answer.
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
        """Tell whether HEAD is worth a question."""
        if len(self._consecutive) >= UPSTREAM_THRESHOLD and self._is_recent(
            self._refused_at
        ):
            return False
        refused_at = self._refused.peek(name)
        return refused_at is None or not self._is_recent(refused_at)

    def head_refused(self, name: RepositoryName) -> None:
        """Record that HEAD was answered as if it were not known."""
        self._unconfirmed.put(name, True)

    def get_answered(self, name: RepositoryName) -> None:
        """Record that GET was answered: so what was refused was HEAD itself."""
        if self._unconfirmed.pop(name) is None:
            return
        self._refused_at = self._clock.seconds()
        self._refused.put(name, self._refused_at)
        if len(self._consecutive) < UPSTREAM_THRESHOLD:
            self._consecutive.add(name)

    def head_answered(self, name: RepositoryName) -> None:
        """Record that HEAD was answered."""
        self._consecutive.clear()
        self._unconfirmed.pop(name)
        self._refused.pop(name)

    def _is_recent(self, seconds: float) -> bool:
        return self._clock.seconds() - seconds < REMEMBERED_SECONDS
