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

#: Seconds after which rates are measured anew by a glance.
GLANCE_SECONDS = 2.0

#: Bytes that have come of each blob that is being downloaded.
_Written = Mapping[Digest, int]


@implementer(IOverlook)
@attrs.define(eq=False)
class Overlook:
    """Looks at all upstreams of a cache.

    :param upstreams: gives them by key; a reload changes them.
    """

    _upstreams: Callable[[], Mapping[str, CachedUpstream]]
    _offline: IOfflineSwitch
    _clock: IReactorTime
    _glanced_at: float = float("-inf")
    _before: _Written = attrs.field(factory=dict)
    _rates: Mapping[Digest, float] = attrs.field(factory=dict)

    @deferred
    async def look(self) -> Overview:
        """Look twice, with a second between."""
        before = self._written()
        await deferLater(self._clock, MEASURE_SECONDS)
        return self._overview(_rates(before, self._written(), MEASURE_SECONDS))

    def glance(self) -> Overview:
        """Look at once; see :class:`IOverlook`."""
        now = self._clock.seconds()
        passed = now - self._glanced_at
        if passed >= GLANCE_SECONDS:
            written = self._written()
            self._rates = _rates(self._before, written, passed)
            self._before, self._glanced_at = written, now
        return self._overview(self._rates)

    def _overview(self, rates: Mapping[Digest, float]) -> Overview:
        upstreams = self._upstreams().values()
        return Overview(
            self._offline.is_on,
            tuple(map(_upstream, upstreams)),
            tuple(found for each in upstreams for found in _downloads(each, rates)),
        )

    def _written(self) -> _Written:
        return {
            fill.digest: fill.new_bytes
            for upstream in self._upstreams().values()
            for fill in upstream.fills.under_way
        }


def _rates(before: _Written, now: _Written, seconds: float) -> dict[Digest, float]:
    """Give the bytes per second of what was under way before (pure)."""
    return {
        digest: max(0, written - before[digest]) / seconds
        for digest, written in now.items()
        if digest in before
    }


def _upstream(upstream: CachedUpstream) -> UpstreamOverview:
    totals = upstream.meter.totals()
    questions, seconds = upstream.meter.questions()
    allowance = upstream.rate_limit.known
    return UpstreamOverview(
        _name(upstream),
        upstream.settings.remoteurl,
        upstream.client.paused_seconds,
        int(totals[Count.REQUESTS]),
        int(totals[Count.HITS]),
        int(totals[Count.STALE]),
        int(totals[Count.PULLED_BYTES]),
        int(totals[Count.SERVED_BYTES]),
        questions,
        seconds,
        allowance.limit,
        allowance.remaining,
        upstream.client.is_failing,
        upstream.meter.latency,
    )


def _downloads(
    upstream: CachedUpstream, rates: Mapping[Digest, float]
) -> list[DownloadOverview]:
    return [
        DownloadOverview(
            str(fill.digest),
            _name(upstream),
            fill.state.size,
            fill.state.written,
            rates.get(fill.digest, fill.mean_rate),
            fill.followers,
        )
        for fill in upstream.fills.under_way
    ]


def _name(upstream: CachedUpstream) -> str:
    return label_of(upstream.names.key, upstream.settings)
