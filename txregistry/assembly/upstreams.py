"""The upstreams that a configuration names, and what they are called."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import attrs

from txregistry.config.proxy import Proxy, Upstream, Warm
from txregistry.remote.origin import Origin
from txregistry.spec.globs import Glob
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import (
    DEFAULT,
    HUB,
    HUB_HOSTS,
    UpstreamNames,
    UpstreamTable,
)
from txregistry.storage.content.local_links import nobody

_HUB_URL = "https://registry-1.docker.io"


def upstreams_of(proxy: Proxy) -> dict[str, Upstream]:
    """Give all upstreams by key, each with its URL; the default one is first."""
    found: dict[str, Upstream] = {}
    if proxy.remoteurl:
        found[DEFAULT] = attrs.evolve(
            proxy, upstreams={}, local=(), warm=Warm(), offline=False
        )
    for key, upstream in proxy.upstreams.items():
        url = upstream.remoteurl or _url_of(key)
        found[key] = attrs.evolve(upstream, remoteurl=url)
    return found


def _url_of(key: str) -> str:
    return _HUB_URL if key in HUB_HOSTS else f"https://{key}"


def upstream_table(proxy: Proxy) -> UpstreamTable:
    """Give the table of all upstreams; an empty one for a registry."""
    named = {
        key: names_of(key, upstream) for key, upstream in upstreams_of(proxy).items()
    }
    return UpstreamTable(named.pop(DEFAULT, None), named, _globs(proxy.local))


def local_in(table: UpstreamTable) -> Callable[[RepositoryName], bool]:
    """Give what tells which repositories of a cache are local; of a registry, none.

    Nothing of a registry expires, so that nobody needs to know.
    """
    return table.is_local if table.local else nobody


@attrs.define
class Owners:
    """Tells which upstream a stored repository is of.

    :ivar table: of all upstreams, which a reload replaces.
    """

    table: UpstreamTable

    def of(self, key: str) -> Callable[[RepositoryName], bool]:
        """Give what tells which stored repositories are of one upstream."""
        return lambda name: self._is_of(key, name)

    def _is_of(self, key: str, name: RepositoryName) -> bool:
        upstream = self.table.upstream_of(name)
        return upstream is not None and upstream.key == key


def names_of(key: str, upstream: Upstream) -> UpstreamNames:
    """Give what an upstream is called.

    :param upstream: with its URL.
    """
    listed = tuple(host.lower() for host in (*upstream.hosts, key) if host)
    return UpstreamNames(
        key,
        _hosts(key, upstream),
        _globs(upstream.allow),
        _globs(upstream.deny),
        listed,
    )


def _hosts(key: str, upstream: Upstream) -> tuple[str, ...]:
    """Give all its names, the one for answers first."""
    named = [*upstream.hosts, *([key] if key else [])]
    # What has a path would have another name at its host.
    if not urlsplit(upstream.remoteurl).path.strip("/"):
        named.append(Origin.of(upstream.remoteurl).authority)
    known = [host.lower() for host in named]
    if not HUB_HOSTS.isdisjoint(known):
        known = [HUB, *known, *sorted(HUB_HOSTS)]
    return tuple(dict.fromkeys(known)) or (Origin.of(upstream.remoteurl).authority,)


def label_of(key: str, upstream: Upstream) -> str:
    """Give an upstream's name in metrics: its key, or the host of the default one."""
    return key or (
        Origin.of(upstream.remoteurl).authority if upstream.remoteurl else ""
    )


def _globs(texts: tuple[str, ...]) -> tuple[Glob, ...]:
    return tuple(Glob.parse(text) for text in texts)
