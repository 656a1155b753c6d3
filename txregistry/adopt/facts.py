"""Gather what a plan depends on, from files and from systemd."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from txregistry.adopt.access import Who
from txregistry.adopt.old import OldService
from txregistry.adopt.plan import (
    CONFIG,
    KEPT,
    SERVICE,
    SERVICE_DROP_IN,
    SOCKET,
    SOCKET_DROP_IN,
    VARIABLES,
    PlanFacts,
)
from txregistry.adopt.probe import Probe
from txregistry.adopt.units import Units
from txregistry.config.fields import host_and_port
from txregistry.config.model import Config

_WRITTEN = (CONFIG, VARIABLES, SERVICE_DROP_IN, SOCKET_DROP_IN)


def gather(
    old: OldService, config: Config, who: Who, units: Units, patience: float
) -> PlanFacts:
    """Give the facts of a plan.

    :param patience: seconds that ours may take until it answers.
    :raise OSError: the old configuration cannot be read.
    :raise UnitFailed: systemd cannot be asked.
    """
    path = Path(old.config)
    found = path.stat()
    return PlanFacts(
        old_unit=old.unit,
        old=units.state(old.unit),
        service=units.state(SERVICE),
        socket=units.state(SOCKET),
        source=old.config,
        config=path.read_text(encoding="utf-8"),
        mode=found.st_mode & 0o777,
        uid=found.st_uid,
        gid=found.st_gid,
        user=who.name,
        group=old.group or grp.getgrgid(who.gid).gr_name,
        umask=old.umask,
        directory=old.directory,
        environment=old.environment,
        root=root_of(config),
        reads=tuple(filter(None, _reads(config))),
        ports=tuple(_ports(config)),
        probe=Probe.of(config),
        patience=patience,
        has_group=_has_group(),
        kept={path: free_name(path) for path in _WRITTEN if os.path.lexists(path)},
    )


def root_of(config: Config) -> str:
    """Give the storage directory; empty if the storage is none."""
    if config.storage.driver != "filesystem":
        return ""
    return str(config.storage.parameters.get("rootdirectory", "/var/lib/registry"))


def free_name(path: str) -> str:
    """Give a name that is free for a file which is kept."""
    names = (f"{path}{KEPT}{number or ''}" for number in count())
    return next(name for name in names if not os.path.lexists(name))


def _reads(config: Config) -> Iterator[str]:
    """Give the files that a configuration names."""
    for tls in (config.http.tls, config.proxy.tls, config.redis.tls):
        yield tls.certificate
        yield tls.key
    yield from config.http.tls.clientcas
    yield from config.redis.tls.rootcas
    yield config.proxy.tls.ca
    for name in ("path", "rootcertbundle", "jwks"):
        yield str(config.auth.parameters.get(name) or "")


def _ports(config: Config) -> Iterator[int]:
    if config.http.net == "tcp":
        yield host_and_port(config.http.addr)[1]
    if config.http.debug.addr:
        yield host_and_port(config.http.debug.addr)[1]


def _has_group() -> bool:
    try:
        grp.getgrnam("txregistry")
    except KeyError:
        return False
    return True
