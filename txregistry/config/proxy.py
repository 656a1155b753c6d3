"""``proxy``: the upstreams that are cached."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.declare import (
    file_path,
    from_file,
    no_effect,
    secret,
    section,
    setting,
)
from txregistry.config.fields import Duration, Size


@attrs.frozen
class Exec:
    """``proxy.exec``: a docker-credential-helper command."""

    command: str = setting(
        "",
        "Command that speaks the docker-credential-helper protocol and returns the "
        "credentials for the upstream.",
        "3.0",
    )
    lifetime: Duration | None = setting(
        None,
        "How long its credentials are used; 0 runs it each time.",
        "3.0",
        unset="until the process ends",
    )


@attrs.frozen
class UpstreamTls:
    """``proxy.tls``: the upstream's authorities, and our client certificate."""

    ca: str = file_path(
        "",
        "File with the certificate authorities of the upstream, in PEM.",
        unset="those of the system",
    )
    certificate: str = file_path("", "File with the client certificate, in PEM.")
    key: str = file_path("", "File with its private key, in PEM.")
    insecure: bool = setting(False, "Do not verify certificates; for tests only.")


@attrs.frozen
class Warm:
    """``proxy.warm``: images that are fetched before somebody wants them."""

    images: tuple[str, ...] = setting(
        (), "Images as clients pull them, such as ghcr.io/org/app:v1."
    )
    file: str = file_path(
        "", "File with further images, one in a line, which is read at each round."
    )
    platforms: tuple[str, ...] = setting(
        (),
        "Of images for several platforms only these, as OS/ARCHITECTURE, such as"
        " linux/amd64.",
        unset="all",
    )
    interval: Duration = setting(
        Duration(6 * 3600.0), "Time from the end of one round to the next."
    )


@attrs.frozen
class RateLimitSection:
    """``proxy.ratelimit``: how an upstream that limits requests is spared."""

    reserve: str = setting(
        "10%",
        "Share of the upstream's rate limit that is kept for what is not cached. When"
        " less remains, cached tags are served as stale while maxstale permits, and the"
        " upstream is asked about them at intervals; 0 asks as always.",
    )


@attrs.frozen
class Upstream:
    """One cached upstream."""

    remoteurl: str = setting(
        "",
        "URL of the upstream, which may have a path. With it, or with upstreams, this"
        " is a pull-through cache, without it a registry; changing one into the other"
        " needs a restart. Of one of upstreams: its key as a host, with https.",
        "2.1",
        unset="no cache",
    )
    username: str = from_file("", "User name at the upstream.", "2.1")
    password: str = secret("", "Password or token of that user.", "2.1")
    ttl: Duration = setting(
        Duration(168 * 3600.0),
        "Cached content is deleted when it was not used for this long; 0 keeps "
        "everything.",
        "3.0",
    )
    exec: Exec = section(
        Exec, "Credential helper, instead of username and password.", "3.0"
    )
    tagttl: Duration = setting(
        Duration(60.0),
        "How long a cached tag is used without asking the upstream; 0 asks each time.",
    )
    maxstale: Duration | None = setting(
        None,
        "How long a tag is served after it was last confirmed while the upstream "
        "cannot be reached.",
        unset="no limit",
    )
    revalidate: str = setting(
        "before",
        "When the upstream is asked about a tag past tagttl: before the answer, or "
        "behind it: then what is cached is the answer, marked as stale.",
        choices=("before", "behind"),
    )
    stalewhile: Duration = setting(
        Duration(3600.0),
        "For how long after tagttl a tag is answered before the upstream is asked; "
        "with revalidate: behind.",
    )
    onerror: Mapping[str, str] = setting(
        attrs.Factory(dict),
        "What is done when the upstream answers with an error: obey it, or serve what "
        "is cached, marked as stale, while maxstale permits. Keys are 401, 403, 404, "
        "429 and 5xx; obey is the default of the first three, stale of the others.",
        unset="obey for 401, 403 and 404, else stale",
    )
    negativettl: Duration = setting(
        Duration(10.0),
        "How long it is remembered that the upstream does not have a manifest, a blob "
        "or a list of tags; 0 asks each time.",
    )
    ratelimit: RateLimitSection = section(
        RateLimitSection, "Rate limits of the upstream."
    )
    recheck: Duration = setting(
        Duration(0.0),
        "Serve cached content by digest only if the upstream has served it to this "
        "repository within this time, or does so now; 0 never asks again.",
    )
    trustedrealms: tuple[str, ...] = setting(
        (),
        "Token services outside the upstream's own domain that may get its "
        "credentials: URLs, or hosts with an optional port, which imply https.",
    )
    trustedtargets: tuple[str, ...] = setting(
        (),
        "Hosts, addresses and networks, with an optional port, to which the "
        "upstream may redirect in addition to the usual: an upstream at a public "
        "address may redirect to public addresses, one at a private address to "
        "public and private ones, none to link-local ones.",
    )
    connecttimeout: Duration = setting(
        Duration(10.0), "Maximum time to connect to the upstream."
    )
    firstbytetimeout: Duration = setting(
        Duration(20.0), "Maximum time until the first byte of a response."
    )
    idletimeout: Duration = setting(
        Duration(30.0), "Maximum time between two pieces of a response body."
    )
    stalltimeout: Duration = setting(
        Duration(90.0),
        "A download that gets no new byte for this long, even by resuming, is given"
        " up; the part that arrived is kept for the next client.",
    )
    maxconnections: int = setting(
        16,
        "Maximum number of connections to the upstream and the hosts it redirects "
        "to; one is reserved for manifests and tokens.",
        unit="connections",
        minimum=1,
    )
    maxfills: int = setting(
        32,
        "Maximum number of concurrent downloads of blobs; further ones wait, and a "
        "download without a waiting client ends for them, as it does if all "
        "connections are taken, and is resumed later.",
        unit="downloads",
        minimum=1,
    )
    maxrate: Size = setting(
        Size(0),
        "Maximum rate of all downloads of blobs from the upstream together, in bytes "
        "per second, which they share fairly; 0 for no limit.",
        unit="bytes per second",
    )
    useragent: str = setting(
        "",
        "User-Agent header of requests to the upstream.",
        unset="txregistry/VERSION (+URL)",
    )
    tls: UpstreamTls = section(UpstreamTls, "TLS to the upstream.")
    hosts: tuple[str, ...] = setting(
        (),
        "Further names of the upstream, as clients write them: hosts with an optional"
        " port. Its key is one, and the host of its URL if that has no path; Docker"
        " Hub has all of its own.",
    )
    mirrors: tuple[str, ...] = setting(
        (),
        "URLs of registries that have the same repositories. They are asked in this"
        " order, without credentials, and the upstream itself last: one that is down,"
        " slow or refuses is passed over.",
    )
    allow: tuple[str, ...] = setting(
        (),
        "If there are any, only repositories of the upstream that match one are"
        " cached; * stands for characters of one component, ** for any.",
    )
    deny: tuple[str, ...] = setting(
        (), "Repositories of the upstream that match one are refused."
    )


#: Keys of ``proxy`` that one of its upstreams does not get by default: what says where
#: the default upstream is and what may be asked there, and above all who we are there.
OWN = frozenset(
    (
        "remoteurl",
        "username",
        "usernamefile",
        "password",
        "passwordfile",
        "exec",
        "trustedrealms",
        "trustedtargets",
        "tls",
        "hosts",
        "mirrors",
        "allow",
        "deny",
        "upstreams",
        "local",
        "warm",
    )
)


@attrs.frozen
class Proxy(Upstream):
    """``proxy``: the default upstream, and the others.

    Without ``remoteurl`` and ``upstreams`` there is no cache.
    """

    upstreams: Mapping[str, Upstream] = setting(
        attrs.Factory(dict),
        "Further upstreams by key, the first component of their repositories here,"
        " such as ghcr.io: each a section with the keys of proxy. Keys that it lacks"
        " are as in proxy, except for those that say where an upstream is, who we are"
        " there, and what of it is cached: remoteurl, username, password, exec, tls,"
        " trustedrealms, trustedtargets, hosts, mirrors, allow, deny.",
        like="proxy",
    )
    local: tuple[str, ...] = setting(
        (),
        "Repositories of this cache that match one are pushed and deleted here, and"
        " no upstream is ever asked for them; * stands for characters of one"
        " component, ** for any.",
        restart="uploads, and what never expires, are prepared at the start",
    )
    warm: Warm = section(
        Warm,
        "Images that are fetched at the start, and every so often: their tags are asked"
        " for anew, and what is missing of them is fetched.",
    )
    offline: bool = setting(
        False,
        "Ask no upstream anything: serve what is cached, marked as stale where it would"
        " have been asked for, and answer 503 for the rest. An administrator can switch"
        " it while the cache runs; then a reload sets it only if this key has changed.",
    )
    cachewritetimeout: object = no_effect(
        "a fill may take as long as it moves", "Maximum duration of a write.", "3.1"
    )

    @property
    def is_cache(self) -> bool:
        """Whether there is an upstream."""
        return bool(self.remoteurl or self.upstreams)

    @property
    def has_own(self) -> bool:
        """Whether content may be pushed to it: a registry, or local repositories."""
        return not self.is_cache or bool(self.local)
