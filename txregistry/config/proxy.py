"""``proxy``: the upstream that is cached."""

from __future__ import annotations

import attrs

from txregistry.config.declare import (
    file_path,
    from_file,
    no_effect,
    secret,
    section,
    setting,
)
from txregistry.config.fields import Duration


@attrs.frozen
class Exec:
    """``proxy.exec``: a docker-credential-helper command."""

    command: str = setting(
        "", "The helper, which is asked for the credentials of the upstream.", "3.0"
    )
    lifetime: Duration | None = setting(
        None,
        "How long its answer is used; 0 asks it each time.",
        "3.0",
        unset="until the process ends",
    )


@attrs.frozen
class UpstreamTls:
    """``proxy.tls``: the upstream's authorities, and our client certificate."""

    ca: str = file_path(
        "",
        "The file of the authorities of the upstream.",
        unset="those of the system",
    )
    certificate: str = file_path("", "The file of our certificate.")
    key: str = file_path("", "The file of its private key.")
    insecure: bool = setting(False, "Take any certificate; for tests only.")


@attrs.frozen
class Proxy:
    """``proxy``: the cached upstream; without ``remoteurl`` there is no cache."""

    remoteurl: str = setting(
        "",
        "The upstream, which may have a path; with it this is a cache, without a"
        " registry (a change from one to the other needs a restart).",
        "2.1",
        unset="no cache",
    )
    username: str = from_file("", "Who we are at the upstream.", "2.1")
    password: str = secret("", "The password or token of that user.", "2.1")
    ttl: Duration = setting(
        Duration(168 * 3600.0),
        "What was not used for this long is deleted; 0 keeps everything.",
        "3.0",
    )
    exec: Exec = section(Exec, "A docker-credential-helper instead of a user.", "3.0")
    cachewritetimeout: object = no_effect(
        "a fill may take as long as it moves", "How long a write may take.", "3.1"
    )
    tagttl: Duration = setting(
        Duration(60.0), "A tag is an answer for this long; 0 asks each time."
    )
    maxstale: Duration | None = setting(
        None,
        "While the upstream is away, a tag is served for this long after it was last"
        " confirmed.",
        unset="no limit",
    )
    recheck: Duration = setting(
        Duration(0.0),
        "What is cached by its digest is given only if the upstream has given it to"
        " this repository within this time, or does so now; 0 never asks again.",
    )
    trustedrealms: tuple[str, ...] = setting(
        (),
        "Token services outside the upstream's own domain that may get its credentials:"
        " URLs, or hosts (with ports), which stand for https.",
    )
    trustedtargets: tuple[str, ...] = setting(
        (),
        "Hosts, addresses and networks, perhaps with a port, to which the upstream may"
        " redirect although they are nearer than itself: one at a public address may"
        " otherwise lead to public ones only, one at a private address to private ones,"
        " none to link-local ones.",
    )
    connecttimeout: Duration = setting(
        Duration(10.0), "How long the upstream may take to connect."
    )
    firstbytetimeout: Duration = setting(
        Duration(20.0), "How long the upstream may take to answer."
    )
    idletimeout: Duration = setting(
        Duration(30.0), "How long it may take between two pieces of a body."
    )
    stalltimeout: Duration = setting(
        Duration(90.0),
        "A download that gets no new byte for this long, however often it is resumed,"
        " ends; what is there is kept for the next client.",
    )
    maxconnections: int = setting(
        16,
        "To the upstream and to where it redirects; one is kept for manifests and"
        " tokens.",
        unit="connections",
        minimum=1,
    )
    maxfills: int = setting(
        32,
        "Of blobs at once; further ones wait, and one that no client waits for any more"
        " ends for them, keeping what it has.",
        unit="downloads",
        minimum=1,
    )
    useragent: str = setting(
        "",
        "What the upstream is told that we are.",
        unset="txregistry/VERSION (+URL)",
    )
    tls: UpstreamTls = section(UpstreamTls, "TLS towards the upstream.")
