"""``health``: checks that run at an interval."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.fields import Duration, secret, section, service_url


@attrs.frozen
class StorageHealth:
    """``health.storagedriver``."""

    enabled: bool = False
    interval: Duration = Duration(10.0)
    threshold: int = 0


@attrs.frozen
class FileHealth:
    """``health.file[]``: unhealthy while the file is there."""

    file: str
    interval: Duration = Duration(10.0)
    threshold: int = 0


@attrs.frozen
class HttpHealth:
    """``health.http[]``."""

    uri: str = service_url()
    headers: Mapping[str, tuple[str, ...]] = secret(attrs.Factory(dict))
    statuscode: int = 200
    timeout: Duration = Duration(5.0)
    interval: Duration = Duration(10.0)
    threshold: int = 0


@attrs.frozen
class TcpHealth:
    """``health.tcp[]``."""

    addr: str
    timeout: Duration = Duration(5.0)
    interval: Duration = Duration(10.0)
    threshold: int = 0


@attrs.frozen
class HealthSection:
    """``health``."""

    storagedriver: StorageHealth = section(StorageHealth)
    file: tuple[FileHealth, ...] = ()
    http: tuple[HttpHealth, ...] = ()
    tcp: tuple[TcpHealth, ...] = ()
