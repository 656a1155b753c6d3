"""Fetch blobs that nobody reads now: to warm a cache, or to heal it."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IBlobService
from txregistry.interfaces.fills import IBlobFetcher
from txregistry.proxy.fills import RunningFills
from txregistry.spec.digest import Digest
from txregistry.spec.errors import UpstreamUnavailable

#: How often a download may end early: others need its place, or the link is bad. Each
#: resumes where the last one ended.
MAX_ATTEMPTS = 20


@implementer(IBlobFetcher)
@attrs.define(eq=False)
class BlobFetcher:
    """Begins downloads as a client's request does, and lets them run on by themselves.

    :param fills: those of all upstreams.
    """

    _fills: RunningFills

    @deferred
    async def fetch(self, blobs: IBlobService, digest: Digest) -> None:
        """Have a blob stored; see :class:`IBlobFetcher`."""
        for _ in range(MAX_ATTEMPTS):
            reader = await blobs.open(digest=digest)
            # Nobody reads it: the fill goes on without, unless others need its place.
            reader.close()
            fill = self._fills.get(digest)
            if fill is None:
                return
            await fill.ended()
            if fill.state.verified:
                return
        reason = f"the download was given up {MAX_ATTEMPTS} times"
        raise UpstreamUnavailable({"reason": reason})

    def written(self, digest: Digest) -> int | None:
        """Return how many bytes of a download are here."""
        fill = self._fills.get(digest)
        return None if fill is None else fill.state.written
