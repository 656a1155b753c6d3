"""``health``: checks that run at an interval."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.declare import required, secret, section, service_url, setting
from txregistry.config.fields import Duration

_EVERY = "The time from one probe to the next."
_FAILURES = "How many probes have to fail in a row; 0 is 1."
_WAIT = "How long a probe may take."


@attrs.frozen
class StorageHealth:
    """``health.storagedriver``."""

    enabled: bool = setting(False, "Look whether the storage answers.", "2.2")
    interval: Duration = setting(Duration(10.0), _EVERY, "2.2")
    threshold: int = setting(0, _FAILURES, "2.2", unit="probes")


@attrs.frozen
class FileHealth:
    """``health.file[]``: unhealthy while the file is there."""

    file: str = required("The path of the file.", "2.2")
    interval: Duration = setting(Duration(10.0), _EVERY, "2.2")
    threshold: int = setting(0, _FAILURES, "2.2", unit="probes")


@attrs.frozen
class HttpHealth:
    """``health.http[]``."""

    uri: str = service_url("The URL that is asked with HEAD.", "2.2")
    headers: Mapping[str, tuple[str, ...]] = secret(
        attrs.Factory(dict), "Headers of the question.", "2.2"
    )
    statuscode: int = setting(200, "The status that is healthy.", "2.2")
    timeout: Duration = setting(Duration(5.0), _WAIT, "2.2")
    interval: Duration = setting(Duration(10.0), _EVERY, "2.2")
    threshold: int = setting(0, _FAILURES, "2.2", unit="probes")


@attrs.frozen
class TcpHealth:
    """``health.tcp[]``."""

    addr: str = required("host:port, where a connection is made.", "2.2")
    timeout: Duration = setting(Duration(5.0), _WAIT, "2.2")
    interval: Duration = setting(Duration(10.0), _EVERY, "2.2")
    threshold: int = setting(0, _FAILURES, "2.2", unit="probes")


@attrs.frozen
class HealthSection:
    """``health``."""

    storagedriver: StorageHealth = section(
        StorageHealth, "A check of the storage.", "2.2"
    )
    file: tuple[FileHealth, ...] = setting(
        (), "Files that mean unhealthy while they are there.", "2.2"
    )
    http: tuple[HttpHealth, ...] = setting((), "URLs that have to answer.", "2.2")
    tcp: tuple[TcpHealth, ...] = setting((), "Addresses that have to answer.", "2.2")
