"""Which changed keys a reload applies, and which need a restart.

The declaration of a key or of its section says if it needs a restart
(:mod:`txregistry.config.declare`). All other keys are live: a reload applies them. For
a few keys the old and the new value decide; see :func:`compare`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import attrs

from txregistry.config.access import Auth
from txregistry.config.declare import declared
from txregistry.config.keypaths import is_within
from txregistry.config.model import Config
from txregistry.config.storage import Storage
from txregistry.config.table import restart_of

T = TypeVar("T")

_KIND = "a registry cannot become a cache while it runs, nor a cache a registry"
_ENDPOINTS = "endpoints are added and removed at the start"
_TLS = "TLS is enabled or disabled when the listener is opened"


@attrs.frozen
class Needed:
    """A changed key that needs a restart, and why."""

    key: str
    why: str


@attrs.frozen
class Changes:
    """The keys that differ between two configurations.

    :ivar live: the keys that a reload applies.
    """

    live: tuple[str, ...] = ()
    restart: tuple[Needed, ...] = ()


def compare(running: Config, wanted: Config) -> Changes:
    """Find the keys that differ (pure), except those without effect."""
    live, restart = [], []
    for key in _different(running, wanted, ""):
        why = _why_not(key, running, wanted)
        if why:
            restart.append(Needed(key, why))
        else:
            live.append(key)
    return Changes(tuple(live), tuple(restart))


def merged(running: Config, wanted: Config) -> Config:
    """Return the wanted configuration, but the running values where not live (pure)."""
    return _merged(running, wanted, "", running, wanted)


def _why_not(key: str, running: Config, wanted: Config) -> str:
    """Return why a change needs a restart; for some keys both values decide."""
    if is_within(key, "proxy") and _is_cache(running) != _is_cache(wanted):
        return _KIND
    if is_within(key, "http.tls") and _has_tls(running) != _has_tls(wanted):
        return _TLS
    if key == "notifications.endpoints" and _names(running) != _names(wanted):
        return _ENDPOINTS
    return restart_of(key)


def _is_cache(config: Config) -> bool:
    return config.proxy.is_cache


def _has_tls(config: Config) -> bool:
    return bool(config.http.tls.certificate)


def _names(config: Config) -> set[str]:
    """Return the names of the enabled endpoints."""
    endpoints = config.notifications.endpoints
    return {endpoint.name for endpoint in endpoints if not endpoint.disabled}


def _different(running: object, wanted: object, path: str) -> Iterator[str]:
    if isinstance(running, Storage) and isinstance(wanted, Storage):
        yield from _chosen("storage", running.driver, wanted.driver, running, wanted)
    if isinstance(running, Auth) and isinstance(wanted, Auth):
        yield from _chosen(
            "auth", running.controller, wanted.controller, running, wanted
        )
        return
    for name, before, after in _fields(running, wanted):
        key = f"{path}{name}"
        if attrs.has(type(after)) and type(before) is type(after):
            yield from _different(before, after, f"{key}.")
        elif key not in _CHOICES:
            yield key


#: The name of a driver is a key itself, above its parameters.
_CHOICES = ("storage.driver", "storage.parameters")


def _chosen(
    section: str, was: str, name: str, running: Storage | Auth, wanted: Storage | Auth
) -> Iterator[str]:
    """Find the parameters of a driver or controller that differ."""
    if was != name:
        yield f"{section}.{name}" if name else section
        return
    before, after = running.parameters, wanted.parameters
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield f"{section}.{name}.{key}"


def _fields(running: object, wanted: object) -> Iterator[tuple[str, object, object]]:
    for field in attrs.fields(type(wanted)):  # type: ignore[arg-type]
        before, after = getattr(running, field.name), getattr(wanted, field.name)
        if before != after and not declared(field).no_effect:
            yield field.name, before, after


def _merged(running: T, wanted: T, path: str, old: Config, new: Config) -> T:
    kept: dict[str, object] = {}
    for name, before, after in _fields(running, wanted):
        key = f"{path}{name}"
        if attrs.has(type(after)) and type(before) is type(after):
            kept[name] = _merged(before, after, f"{key}.", old, new)
        elif _why_not(key, old, new):
            kept[name] = before
    changed: T = attrs.evolve(wanted, **kept)  # type: ignore[misc]
    return changed
