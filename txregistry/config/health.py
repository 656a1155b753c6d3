"""``health``: checks that run at an interval."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.declare import required, secret, section, service_url, setting
from txregistry.config.fields import Duration

_EVERY = "Time between two probes."
_FAILURES = "Number of consecutive failures that count as unhealthy; 0 means 1."
_WAIT = "Maximum duration of a probe."


@attrs.frozen
class StorageHealth:
    """``health.storagedriver``."""

    enabled: bool = setting(False, "Check that the storage answers.", "2.2")
    interval: Duration = setting(Duration(10.0), _EVERY, "2.2")
    threshold: int = setting(0, _FAILURES, "2.2", unit="probes")


@attrs.frozen
class FileHealth:
    """``health.file[]``: unhealthy while the file is there."""

    file: str = required("Path of the file.", "2.2")
    interval: Duration = setting(Duration(10.0), _EVERY, "2.2")
    threshold: int = setting(0, _FAILURES, "2.2", unit="probes")


@attrs.frozen
class HttpHealth:
    """``health.http[]``."""

    uri: str = service_url("URL that is requested with HEAD.", "2.2")
    headers: Mapping[str, tuple[str, ...]] = secret(
        attrs.Factory(dict), "Headers of the request.", "2.2"
    )
    statuscode: int = setting(200, "Expected status code.", "2.2")
    timeout: Duration = setting(Duration(5.0), _WAIT, "2.2")
    interval: Duration = setting(Duration(10.0), _EVERY, "2.2")
    threshold: int = setting(0, _FAILURES, "2.2", unit="probes")


@attrs.frozen
class TcpHealth:
    """``health.tcp[]``."""

    addr: str = required("Address to connect to, as host:port.", "2.2")
    timeout: Duration = setting(Duration(5.0), _WAIT, "2.2")
    interval: Duration = setting(Duration(10.0), _EVERY, "2.2")
    threshold: int = setting(0, _FAILURES, "2.2", unit="probes")


@attrs.frozen
class HealthSection:
    """``health``."""

    storagedriver: StorageHealth = section(
        StorageHealth, "Check of the storage.", "2.2"
    )
    file: tuple[FileHealth, ...] = setting(
        (), "Files whose presence means unhealthy.", "2.2"
    )
    http: tuple[HttpHealth, ...] = setting((), "URLs that must answer.", "2.2")
    tcp: tuple[TcpHealth, ...] = setting(
        (), "Addresses that must accept connections.", "2.2"
    )
