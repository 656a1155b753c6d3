"""``notifications``: endpoints, and the events for each."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.fields import Duration, secret, section, service_url


@attrs.frozen
class Ignore:
    """``notifications.endpoints[].ignore``."""

    mediatypes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


@attrs.frozen
class EndpointSection:
    """``notifications.endpoints[]``."""

    name: str
    url: str = service_url()
    disabled: bool = False
    headers: Mapping[str, tuple[str, ...]] = secret(attrs.Factory(dict))
    timeout: Duration = Duration(1.0)
    threshold: int = 10
    backoff: Duration = Duration(1.0)
    ignoredmediatypes: tuple[str, ...] = ()
    ignore: Ignore = section(Ignore)


@attrs.frozen
class Events:
    """``notifications.events``."""

    includereferences: bool = False


@attrs.frozen
class Notifications:
    """``notifications``.

    :ivar queuelimit: events kept per endpoint; beyond it new ones are dropped.
    """

    events: Events = section(Events)
    endpoints: tuple[EndpointSection, ...] = ()
    queuelimit: int = 100_000
