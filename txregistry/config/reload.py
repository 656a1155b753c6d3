"""What a running daemon can take from a changed configuration, and what it cannot.

:data:`NEEDS_RESTART` is the whole rule: a key that is in it, or in one of its sections,
is read at the start only; each other key takes effect by a reload.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import attrs

from txregistry.config.access import Auth
from txregistry.config.fields import NO_EFFECT
from txregistry.config.model import Config
from txregistry.config.read import is_within
from txregistry.config.storage import Storage

T = TypeVar("T")

_LISTENS = "it is where the daemon listens already"
_STORED = "the storage is opened once"
_KIND = "a registry becomes a cache, or a cache a registry, at a start only"
_TLS = "a listener speaks TLS from its start, or never"

#: Keys and sections that are read at the start only, each with the reason.
NEEDS_RESTART: Mapping[str, str] = {
    "version": "it says how all of the file is to be read",
    "http.addr": _LISTENS,
    "http.net": _LISTENS,
    "http.socketmode": _LISTENS,
    "http.debug": _LISTENS,
    "http.secret": "what it has sealed for clients that push has to be opened with it",
    "storage": _STORED,
    "redis": "its connections are a part of the storage",
    "compatibility.schema1.disablesignaturestore": _STORED,
    "notifications": "events of the endpoints stand in a queue on disk",
}

#: What takes effect although its section does not.
LIVE = ("storage.delete", "storage.maintenance", "storage.redirect")


@attrs.frozen
class Needed:
    """A changed key that takes effect at a restart only, and why."""

    key: str
    why: str


@attrs.frozen
class Changes:
    """The keys that differ between two configurations.

    :ivar live: those that take effect by a reload.
    """

    live: tuple[str, ...] = ()
    restart: tuple[Needed, ...] = ()


def compare(running: Config, wanted: Config) -> Changes:
    """Find the keys that differ (pure); keys without effect are passed over."""
    live, restart = [], []
    for key in _different(running, wanted, ""):
        why = _why_not(key, running, wanted)
        if why:
            restart.append(Needed(key, why))
        else:
            live.append(key)
    return Changes(tuple(live), tuple(restart))


def merged(running: Config, wanted: Config) -> Config:
    """Give what is in force after a reload (pure): keys that cannot change have not."""
    return _merged(running, wanted, "", running, wanted)


def needs_restart(key: str) -> str:
    """Give why a key takes effect at a restart only; empty if it does by a reload."""
    if any(is_within(key, section) for section in LIVE):
        return ""
    reasons = (why for outer, why in NEEDS_RESTART.items() if is_within(key, outer))
    return next(reasons, "")


def _why_not(key: str, running: Config, wanted: Config) -> str:
    """Give why a key cannot change now; some depend on what they change from."""
    if is_within(key, "proxy") and _is_cache(running) != _is_cache(wanted):
        return _KIND
    if is_within(key, "http.tls") and _has_tls(running) != _has_tls(wanted):
        return _TLS
    return needs_restart(key)


def _is_cache(config: Config) -> bool:
    return bool(config.proxy.remoteurl)


def _has_tls(config: Config) -> bool:
    return bool(config.http.tls.certificate)


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


#: A driver is not the value of a key: its name is a key.
_CHOICES = ("storage.driver", "storage.parameters")


def _chosen(
    section: str, was: str, name: str, running: Storage | Auth, wanted: Storage | Auth
) -> Iterator[str]:
    """Find different parameters of a driver or of a controller."""
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
        if before != after and NO_EFFECT not in field.metadata:
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
