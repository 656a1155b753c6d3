"""Several upstreams and local repositories as one namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from txregistry.interfaces.namespace import (
    IBlobFinder,
    INamespace,
    IRepository,
    ITagAnswers,
)
from txregistry.spec.digest import Digest
from txregistry.spec.errors import NameUnknown, RegistryError
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import UpstreamTable


@implementer(INamespace, IBlobFinder, ITagAnswers)
@attrs.frozen(eq=False)
class UpstreamRouter:
    """Gives each repository by the upstream that it is of, or as a local one.

    :param local: all that is stored.
    :param caches: of each upstream, by its key.
    """

    _table: UpstreamTable
    _local: INamespace
    _caches: Mapping[str, INamespace]

    def repository(self, name: RepositoryName) -> Deferred[IRepository]:
        """Fire with a repository by its stored name.

        :return: fails with ``Denied`` if a rule excludes it, or with ``NameUnknown`` if
            it is of no upstream.
        """
        upstream = self._table.upstream_of(name)
        if upstream is None:
            return self._beside(name)
        try:
            upstream.check(upstream.at_upstream(name))
        except RegistryError as error:
            return fail(error)
        return self._caches[upstream.key].repository(name=name)

    def repositories(
        self, after: str = "", limit: int | None = None
    ) -> Deferred[list[RepositoryName]]:
        """Fire with the repositories that have stored content, of all upstreams."""
        return self._local.repositories(after=after, limit=limit)

    def holder(
        self, digest: Digest, candidates: Sequence[RepositoryName] | None = None
    ) -> Deferred[RepositoryName | None]:
        """Fire with a repository that has a blob; see :class:`IBlobFinder`."""
        if not IBlobFinder.providedBy(self._local):
            return succeed(None)
        finder = cast(IBlobFinder, self._local)
        return finder.holder(digest=digest, candidates=candidates)

    def forget_answers(self, is_meant: Callable[[RepositoryName], bool]) -> None:
        """Forget answers about tags; see :class:`ITagAnswers`."""
        for cache in self._caches.values():
            if ITagAnswers.providedBy(cache):
                cast(ITagAnswers, cache).forget_answers(is_meant)

    def _beside(self, name: RepositoryName) -> Deferred[IRepository]:
        """Fire with a local repository."""
        if self._table.is_local(name):
            return self._local.repository(name=name)
        reason = "no upstream has this name"
        return fail(NameUnknown({"name": name.text, "reason": reason}))
