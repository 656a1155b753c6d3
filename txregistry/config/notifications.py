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
        (), "Media types whose events are not sent.", "2.7"
    )
    actions: tuple[str, ...] = setting(
        (), "Actions whose events are not sent: pull, push, mount, delete.", "2.7"
    )


@attrs.frozen
class EndpointSection:
    """``notifications.endpoints[]``."""

    name: str = required(
        "Unique name, used in metrics and logs.",
        "2.0",
        restart="endpoints are added and removed at the start",
    )
    url: str = service_url(
        "URL to which events are posted; may be https://user:password@host/path.", "2.0"
    )
    disabled: bool = setting(False, "Send no events to this endpoint.", "2.0")
    headers: Mapping[str, tuple[str, ...]] = secret(
        attrs.Factory(dict), "Headers of each request, such as Authorization.", "2.0"
    )
    timeout: Duration = setting(Duration(1.0), "Maximum duration of a request.", "2.0")
    threshold: int = setting(
        10,
        "Number of consecutive failures after which sending pauses.",
        "2.0",
        unit="posts",
    )
    backoff: Duration = setting(Duration(1.0), "Duration of that pause.", "2.0")
    ignoredmediatypes: tuple[str, ...] = setting(
        (),
        "Added to that list.",
        "2.6",
        newer="notifications.endpoints[].ignore.mediatypes",
    )
    ignore: Ignore = section(Ignore, "Events that are not sent.", "2.7")


@attrs.frozen
class Events:
    """``notifications.events``."""

    includereferences: bool = setting(
        False, "List what a manifest refers to in its events.", "2.7"
    )


@attrs.frozen
class Notifications:
    """``notifications``."""

    events: Events = section(Events, "Content of events.", "2.7")
    endpoints: tuple[EndpointSection, ...] = setting(
        (), "Receivers of events for pushes, pulls and deletes.", "2.0"
    )
    queuelimit: int = setting(
        100_000,
        "Maximum number of events queued on disk per endpoint; further ones are "
        "dropped.",
        unit="events",
    )
