"""Configuration files that lead clients to a cache (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import urlsplit

import attrs

from txregistry.assembly.upstreams import names_of, upstreams_of
from txregistry.config.proxy import Proxy
from txregistry.spec.upstreams import DEFAULT, HUB, UpstreamNames

_HUB_SERVER = "https://registry-1.docker.io"


@attrs.frozen
class ClientFile:
    """A file of a client: where it is, and its text."""

    path: str
    text: str


@attrs.frozen
class CachedHost:
    """A registry as clients name it, and where its repositories are at the cache.

    :ivar path: before the names of its repositories, with a slash at its end; empty for
        the default upstream.
    """

    host: str
    path: str


@attrs.frozen
class CacheAddress:
    """Where clients reach the cache.

    :ivar url: scheme, host and port, and perhaps ``http.prefix``, without ``/v2/``.
    :ivar ca: the path of a file with its certificate authority; empty if it needs none.
    """

    url: str
    ca: str = ""

    @property
    def host(self) -> str:
        """Return host and port."""
        return urlsplit(self.url).netloc

    @property
    def is_plain(self) -> bool:
        """Return whether it is reached without TLS."""
        return urlsplit(self.url).scheme == "http"

    @property
    def prefix(self) -> str:
        """Return its path without slashes at its ends."""
        return urlsplit(self.url).path.strip("/")


def cached_hosts(proxy: Proxy) -> list[CachedHost]:
    """Return all registries that a cache has, by each of their hosts."""
    return [
        CachedHost(host, f"{key}/" if key else "")
        for key, upstream in upstreams_of(proxy).items()
        for host in _hosts(names_of(key, upstream))
    ]


def _hosts(names: UpstreamNames) -> list[str]:
    """Return what clients call an upstream; Docker Hub has one name for all."""
    if names.is_hub:
        return [HUB]
    # A key without a dot or a port is a name at the cache, and no host.
    found = [host for host in names.hosts if "." in host or ":" in host]
    return found or [*names.hosts[: names.key == DEFAULT]]


def containerd_files(
    address: CacheAddress, hosts: Iterable[CachedHost]
) -> Iterator[ClientFile]:
    """Give a ``hosts.toml`` for each host; nerdctl reads them as well."""
    url = f"{address.url}/v2" if address.prefix else address.url
    for cached in hosts:
        lines = [f'server = "{_HUB_SERVER}"', ""] if cached.host == HUB else []
        lines += [f'[host."{url}"]', '  capabilities = ["pull", "resolve"]']
        if address.prefix:
            lines.append("  override_path = true")
        if address.ca:
            lines.append(f'  ca = "{address.ca}"')
        path = f"/etc/containerd/certs.d/{cached.host}/hosts.toml"
        yield ClientFile(path, "\n".join(lines) + "\n")


def docker_files(
    address: CacheAddress, hosts: Iterable[CachedHost]
) -> Iterator[ClientFile]:
    """Give ``daemon.json``.

    :raise ValueError: dockerd cannot use this cache as a mirror.
    """
    _no_prefix(address, "dockerd")
    if CachedHost(HUB, "") not in list(hosts):
        raise ValueError(
            "dockerd has mirrors of Docker Hub alone, which is not the default upstream"
            f" of this cache: pull by its name, as {address.host}/KEY/NAME"
        )
    found: dict[str, list[str]] = {"registry-mirrors": [address.url]}
    if address.is_plain:
        found["insecure-registries"] = [address.host]
    text = json.dumps(found, indent=2) + "\n"
    yield ClientFile("/etc/docker/daemon.json", text)


def podman_files(
    address: CacheAddress, hosts: Iterable[CachedHost]
) -> Iterator[ClientFile]:
    """Give a file for podman, buildah, skopeo and CRI-O.

    :raise ValueError: they cannot use this cache.
    """
    _no_prefix(address, "podman")
    blocks = []
    for cached in hosts:
        location = f"{address.host}/{cached.path}".rstrip("/")
        lines = ["[[registry]]", f'prefix = "{cached.host}"']
        lines += [f'location = "{cached.host}"', "", "[[registry.mirror]]"]
        lines += [f'location = "{location}"']
        if address.is_plain:
            lines.append("insecure = true")
        blocks.append("\n".join(lines) + "\n")
    path = "/etc/containers/registries.conf.d/50-txregistry.conf"
    yield ClientFile(path, "\n".join(blocks))


def k3s_files(
    address: CacheAddress, hosts: Iterable[CachedHost]
) -> Iterator[ClientFile]:
    """Give ``registries.yaml`` of k3s and RKE2."""
    url = f"{address.url}/v2" if address.prefix else address.url
    lines = ["mirrors:"]
    for cached in hosts:
        lines += [f'  "{cached.host}":', "    endpoint:", f'      - "{url}"']
    if address.ca:
        lines += ["configs:", f'  "{address.host}":', "    tls:"]
        lines.append(f'      ca_file: "{address.ca}"')
    yield ClientFile("/etc/rancher/k3s/registries.yaml", "\n".join(lines) + "\n")


def _no_prefix(address: CacheAddress, client: str) -> None:
    if address.prefix:
        raise ValueError(f"{client} knows no registry with a path (http.prefix)")


#: What makes the files of each client.
CLIENTS: Mapping[
    str, Callable[[CacheAddress, Iterable[CachedHost]], Iterator[ClientFile]]
] = {
    "containerd": containerd_files,
    "docker": docker_files,
    "podman": podman_files,
    "k3s": k3s_files,
}
