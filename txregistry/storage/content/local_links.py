"""Links of local repositories: what they hold is known to the ledger, and never goes.

A cache deletes content that no repository of an upstream uses any more, if the ledger
knows no other holder. Repositories that are pushed to (``proxy.local``) may link the
same content, so each of their links is recorded as one whose last use never ends. Of
their tags nothing is recorded: a tag holds no content by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from txregistry.interfaces.expiry import NEVER, Entry, EntryKey, IUsage
from txregistry.spec.reference import RepositoryName


def nobody(name: RepositoryName) -> bool:
    """Tell that a repository is not local: there is no upstream, or only upstreams."""
    return False


@attrs.frozen
class LocalLinks:
    """Records links as they are made and removed.

    :param is_local: tells of a repository that it belongs to no upstream.
    """

    _usage: IUsage
    _is_local: Callable[[RepositoryName], bool] = nobody

    def holds(self, holders: Iterable[RepositoryName]) -> bool:
        """Tell whether one of some repositories is local."""
        return any(map(self._is_local, holders))

    def made(self, key: EntryKey) -> None:
        """Record that a repository links content; its size is known to others."""
        if self._is_local(key.repository):
            self._usage.add(Entry(key, 0, NEVER))

    def gone(self, key: EntryKey) -> None:
        """Record that a link was removed."""
        if self._is_local(key.repository):
            self._usage.forget(key)
