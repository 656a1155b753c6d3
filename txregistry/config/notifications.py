"""``notifications``: endpoints, and the events for each."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.declare import required, secret, section, service_url, setting
from txregistry.config.fields import Duration


@attrs.frozen
class Ignore:
    """``notifications.endpoints[].ignore``."""

    mediatypes: tuple[str, ...] = setting(
        (), "No events of manifests and blobs of these types.", "2.7"
    )
    actions: tuple[str, ...] = setting(
        (), "No events of these actions: pull, push, mount, delete.", "2.7"
    )


@attrs.frozen
class EndpointSection:
    """``notifications.endpoints[]``."""

    name: str = required(
        "Its name in metrics and logs; no two have the same.",
        "2.0",
        restart="endpoints are added and removed at the start",
    )
    url: str = service_url(
        "Where events are posted; may be https://user:password@host/path.", "2.0"
    )
    disabled: bool = setting(False, "Send it nothing.", "2.0")
    headers: Mapping[str, tuple[str, ...]] = secret(
        attrs.Factory(dict), "Headers of each post, such as Authorization.", "2.0"
    )
    timeout: Duration = setting(Duration(1.0), "How long a post may take.", "2.0")
    threshold: int = setting(
        10, "Failures in a row after which it is left alone.", "2.0", unit="posts"
    )
    backoff: Duration = setting(Duration(1.0), "For how long it is left alone.", "2.0")
    ignoredmediatypes: tuple[str, ...] = setting(
        (),
        "Added to those of ignore.",
        "2.6",
        newer="notifications.endpoints[].ignore.mediatypes",
    )
    ignore: Ignore = section(Ignore, "Events that it does not get.", "2.7")


@attrs.frozen
class Events:
    """``notifications.events``."""

    includereferences: bool = setting(
        False, "An event of a manifest lists what that refers to.", "2.7"
    )


@attrs.frozen
class Notifications:
    """``notifications``."""

    events: Events = section(Events, "What events hold.", "2.7")
    endpoints: tuple[EndpointSection, ...] = setting(
        (), "Who is told of pushes, pulls and deletes.", "2.0"
    )
    queuelimit: int = setting(
        100_000,
        "Kept per endpoint, on disk; beyond it new ones are dropped.",
        unit="events",
    )
