"""Fetch content again that was found damaged in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IBlobFetcher, IContent
from txregistry.interfaces.expiry import Kind
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.scrub import Holder, IHealer
from txregistry.spec.digest import Digest

#: Repositories for which content is asked, one after the other, until one has it.
_MAX_ASKED = 4


@implementer(IHealer)
@attrs.define(eq=False)
class Healer:
    """Asks the upstream as a client's request would.

    While the upstream is away nothing is healed: the next request that wants the
    content asks again.

    :param namespace: gives that of the cache, which a reload changes.
    """

    _namespace: Callable[[], INamespace]
    _content: IContent
    _log = Logger()

    @deferred
    async def heal(self, digest: Digest, holders: Sequence[Holder]) -> bool:
        """Fetch content for one of its repositories; see :class:`IHealer`."""
        for holder in holders[:_MAX_ASKED]:
            try:
                await self._fetch(digest, holder)
                if await self._content.verify(digest=digest):
                    self._log.info("{digest} was fetched again", digest=str(digest))
                    return True
            except CancelledError:
                raise
            except Exception as error:
                # Any error of the upstream, or of the disk: another try comes later.
                self._log.warn(
                    "{digest} cannot be fetched again for {repository} now: {error}",
                    digest=str(digest),
                    repository=str(holder.repository),
                    error=str(error),
                )
        return False

    @deferred
    async def _fetch(self, digest: Digest, holder: Holder) -> None:
        repository = await self._namespace().repository(name=holder.repository)
        if holder.kind is Kind.MANIFEST:
            await repository.manifests.get(digest=digest)
        elif IBlobFetcher.providedBy(repository.blobs):
            await IBlobFetcher(repository.blobs).fetch(digest=digest)
