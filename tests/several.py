"""A cache of several upstreams on one clock."""

from __future__ import annotations

import attrs

from txregistry.assembly.cache import assemble_cache
from txregistry.assembly.upstreams import Owners
from txregistry.flow.shared_rate import SharedRate
from txregistry.proxy.download import DownloadContext
from txregistry.proxy.fills import Fills, RunningFills
from txregistry.proxy.router import UpstreamRouter
from txregistry.remote.namespace import RemoteNamespace
from txregistry.spec.gate import Gate
from txregistry.spec.globs import Glob
from txregistry.spec.upstreams import DEFAULT, UpstreamNames, UpstreamTable
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.testing.routes import resource_of
from txregistry.testing.upstream import FakeUpstream
from txregistry.web.http.serving import make_serving

HUB_NAMES = UpstreamNames(DEFAULT, ("docker.io", "upstream.example"))
GHCR = UpstreamNames("ghcr.io", ("ghcr.io",), deny=(Glob.parse("secret/**"),))
CORP = UpstreamNames("corp", ("corp.example:5000", "corp"))
LOCAL = (Glob.parse("team/**"),)


def table() -> UpstreamTable:
    """Give the default upstream, two others, and local repositories."""
    return UpstreamTable(HUB_NAMES, {"ghcr.io": GHCR, "corp": CORP}, LOCAL)


@attrs.define(eq=False, slots=False)
class Several:
    """A house with several upstreams, each behind a wire of its own."""

    house: TestHouse = attrs.field(factory=lambda: TestHouse(table=table()))
    houses: dict[str, TestHouse] = attrs.field(factory=dict)
    running: RunningFills = attrs.field(factory=dict)
    fills: dict[str, Fills] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        house = self.house
        self.houses[DEFAULT] = house
        for key in house.table.upstreams:
            url = f"http://{key}.example"
            other = TestHouse(clock=house.clock, upstream_url=url)
            self.houses[key] = other
            house.further_wires.append(other.upstream_wire)
        caches = {key: self._cache(key) for key in self.houses}
        house.proxy = UpstreamRouter(house.table, house.local, caches)
        gate = Gate(deletes=True)
        api = house.api(house.proxy, gate, upstreams=house.table)
        house.site.serve(make_serving(resource_of(api), house.recorder))

    def _cache(self, key: str):
        house, other = self.house, self.houses[key]
        names = house.table.upstreams.get(key, house.table.default)
        label = key or "upstream.example"
        meter = house.metrics.of_upstream(key, label)
        downloads = DownloadContext(
            house.partials, house.clock, lambda: 0.5, meter, SharedRate(house.clock)
        )
        fills = self.fills[key] = Fills(downloads, fills=self.running)
        fills.startService()
        remote = RemoteNamespace(other.client, names.at_upstream)
        return assemble_cache(
            house.stored,
            remote,
            fills,
            house.policy,
            meter,
            house.clock,
            house.recheck,
            key,
            is_ours=Owners(house.table).of(key),
        )

    def upstream(self, key: str) -> FakeUpstream:
        """Give the fake upstream of a key."""
        return self.houses[key].upstream

    def get(self, path: str, **headers: str) -> Got:
        """Fetch a path."""
        return self.house.get(path, **headers)
