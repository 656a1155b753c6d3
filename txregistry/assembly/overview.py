"""A look at a running cache, for the control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from txregistry.assembly.cache import CachedUpstream
from txregistry.assembly.upstreams import label_of
from txregistry.flow.deferred import deferred
from txregistry.interfaces.observe import Count
from txregistry.interfaces.offline import IOfflineSwitch
from txregistry.interfaces.overview import (
    DownloadOverview,
    IOverlook,
    Overview,
    UpstreamOverview,
)
from txregistry.spec.digest import Digest

#: Seconds within which rates are measured.
MEASURE_SECONDS = 1.0


@implementer(IOverlook)
@attrs.frozen
class Overlook:
    """Looks at all upstreams of a cache.

    :param upstreams: gives them by key; a reload changes them.
    """

    _upstreams: Callable[[], Mapping[str, CachedUpstream]]
    _offline: IOfflineSwitch
    _clock: IReactorTime

    @deferred
    async def look(self) -> Overview:
        """Look twice, with a second between."""
        before = self._written()
        await deferLater(self._clock, MEASURE_SECONDS)
        upstreams = self._upstreams()
        return Overview(
            self._offline.is_on,
            tuple(_upstream(upstream) for upstream in upstreams.values()),
            tuple(
                found
                for upstream in upstreams.values()
                for found in _downloads(upstream, before)
            ),
        )

    def _written(self) -> dict[Digest, int]:
        return {
            fill.digest: fill.state.written
            for upstream in self._upstreams().values()
            for fill in upstream.fills.under_way
        }


def _upstream(upstream: CachedUpstream) -> UpstreamOverview:
    totals = upstream.meter.totals()
    return UpstreamOverview(
        _name(upstream),
        upstream.settings.remoteurl,
        upstream.client.paused_seconds,
        int(totals[Count.REQUESTS]),
        int(totals[Count.HITS]),
        int(totals[Count.STALE]),
        int(totals[Count.PULLED_BYTES]),
        int(totals[Count.SERVED_BYTES]),
    )


def _downloads(
    upstream: CachedUpstream, before: Mapping[Digest, int]
) -> list[DownloadOverview]:
    return [
        DownloadOverview(
            str(fill.digest),
            _name(upstream),
            fill.state.size,
            fill.state.written,
            max(0, fill.state.written - before.get(fill.digest, 0)) / MEASURE_SECONDS,
        )
        for fill in upstream.fills.under_way
    ]


def _name(upstream: CachedUpstream) -> str:
    return label_of(upstream.names.key, upstream.settings)
