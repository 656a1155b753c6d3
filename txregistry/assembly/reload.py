"""Apply a changed configuration to the running daemon.

Note [Nothing fails half-way]. All files are read in a thread, and every object whose
creation may fail is created, before any part of the daemon is changed. Then all parts
get their new settings in one turn of the reactor, so that no request sees a mixture.
Current requests keep the objects that they started with; these are freed when the
requests end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
from twisted.internet.defer import Deferred

from txregistry.assembly.context import Context
from txregistry.assembly.eviction import read_pins, space_plan
from txregistry.assembly.expiry import Expiry, expiry_plan, news_of_ttl
from txregistry.assembly.health import health_checks
from txregistry.assembly.listeners import Backend, build_serving
from txregistry.assembly.loading import load
from txregistry.assembly.notifications import settings_of_endpoints
from txregistry.assembly.scrub import scrub_plan
from txregistry.assembly.settings import http2_choice, purge_plan
from txregistry.assembly.upstreams import upstream_table
from txregistry.auth.maker import make_controller
from txregistry.config.check import check
from txregistry.config.keypaths import is_within
from txregistry.config.model import Config, Log
from txregistry.config.read import ConfigurationError
from txregistry.config.reload import Changes, compare, merged
from txregistry.daemon.registry import Registry
from txregistry.daemon.tls import Certificates, TlsEndpoint, load_certificates
from txregistry.eviction.pinned import PinnedImages
from txregistry.eviction.room import Room
from txregistry.flow.disk import Disk
from txregistry.health.checks import Check, Health
from txregistry.interfaces.access import IAccessController
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.reload import ReloadReport
from txregistry.notifications.notifier import Notifier
from txregistry.storage.scrub.service import Scrubbing
from txregistry.storage.uploads.purge import UploadPurging
from txregistry.web.http.serving import Serving, offered_protocols
from txregistry.web.http.site import RegistrySite

if TYPE_CHECKING:
    from txregistry.assembly.caches import Cache, Files, NextCache
    from txregistry.assembly.console import Console
    from txregistry.images.schedule import WarmSchedule

#: The first purge of uploads is at a random time within these seconds after a change.
_PURGE_SECONDS = 3600.0


@attrs.frozen
class Renewal:
    """A changed configuration, and the content of the files that it names.

    :ivar config: the configuration to apply; keys that need a restart are unchanged.
    :ivar upstreams: the files of ``tls`` of each upstream; ``None`` to keep the current
        ones.
    :ivar certificates: the files of ``http.tls``; ``None`` without TLS, or to keep the
        current ones.
    """

    config: Config
    changes: Changes
    warnings: Sequence[str]
    upstreams: Files | None
    certificates: Certificates | None


def read_renewal(
    path: str | None, environment: Mapping[str, str], running: Config
) -> Renewal:
    """Read the configuration again; blocks.

    :param path: the configuration file; see :func:`load`.
    :param running: the current configuration.
    :raise ConfigurationError: with every problem.
    """
    wanted, warnings = load(path, environment)
    config = merged(running, wanted)
    # The file is valid, but its live values may conflict with unchanged ones.
    problems = [f"{problem} (until a restart)" for problem in check(config)]
    if problems:
        raise ConfigurationError(problems)
    changes = compare(running, wanted)
    try:
        files, loaded = _upstreams(config, changes), _certificates(config, changes)
    except (OSError, ValueError) as error:
        raise ConfigurationError([str(error)]) from error
    return Renewal(config, changes, warnings, files, loaded)


def _waits(changes: Changes, section: str) -> bool:
    """Tell if a section needs a restart; its current files may be deleted already."""
    return any(is_within(needed.key, section) for needed in changes.restart)


def _upstreams(config: Config, changes: Changes) -> Files | None:
    if not config.proxy.is_cache or _changes_kind(changes):
        return None
    # A cache has imported it at the start.
    from txregistry.assembly.caches import read_files

    return read_files(config.proxy)


def _changes_kind(changes: Changes) -> bool:
    """Tell if a registry is to become a cache, or a cache a registry: all waits."""
    needed = {item.key for item in changes.restart if is_within(item.key, "proxy")}
    return bool(needed - {"proxy.local"})


def _certificates(config: Config, changes: Changes) -> Certificates | None:
    if not config.http.tls.certificate or _waits(changes, "http.tls"):
        return None
    return load_certificates(config.http.tls, offered_protocols(http2_choice(config)))


@attrs.frozen
class Renewable:
    """The parts of the daemon that a reload changes.

    :ivar cache: ``None`` for a registry.
    :ivar notifier: ``None`` without endpoints.
    :ivar disk: the threads of the access controller.
    :ivar set_log: applies the ``log`` section.
    :ivar around: puts middleware around a namespace.
    :ivar room: on the disk of a cache.
    :ivar pinned: what stays there.
    :ivar warming: ``None`` for a registry.
    """

    registry: Registry
    backend: Backend
    cache: Cache | None
    expiry: Expiry
    health: Health
    purging: UploadPurging
    scrub: Scrubbing
    notifier: Notifier | None
    disk: Disk
    set_log: Callable[[Log], None]
    around: Callable[[INamespace], INamespace]
    room: Room | None
    pinned: PinnedImages
    warming: WarmSchedule | None = None


@attrs.frozen
class _Made:
    """The objects whose creation may fail, not in use yet; ``None`` if unchanged."""

    backend: Backend
    cache: NextCache | None
    serving: Serving | None
    checks: tuple[Check, ...] | None


@attrs.define(eq=False)
class Running:
    """The current configuration, and the parts that it is applied to.

    :ivar console: the admin listener, which can be asked for a reload and so is built
        last; ``None`` without one.
    """

    _context: Context
    _parts: Renewable
    console: Console | None = None

    def read(
        self, disk: Disk, path: str | None, environment: Mapping[str, str]
    ) -> Deferred[Renewal]:
        """Read the configuration again in a thread; see :func:`read_renewal`."""
        return disk.run(read_renewal, path, environment, self._context.config)

    def take(self, renewal: Renewal) -> ReloadReport:
        """Apply a configuration; see Note [Nothing fails half-way].

        :raise ConfigurationError: it cannot be used; nothing was changed.
        """
        context = attrs.evolve(self._context, config=renewal.config)
        try:
            made = self._make(context, renewal)
        except (OSError, ValueError) as error:
            raise ConfigurationError([str(error)]) from error
        files = self._begin(context, made, renewal)
        self._context = context
        changes = renewal.changes
        return ReloadReport(
            (*changes.live, *_beside(changes.live, files)),
            {needed.key: needed.why for needed in changes.restart},
            (),
            (*renewal.warnings, *self._news(changes.live)),
        )

    def _news(self, live: Iterable[str]) -> Iterable[str]:
        """Return what a changed key does to what is stored already."""
        if self._parts.cache is not None and "proxy.ttl" in live:
            local = self._parts.backend.local
            yield news_of_ttl(self._context.config.proxy.ttl, local)

    def _make(self, context: Context, renewal: Renewal) -> _Made:
        parts, before, config = self._parts, self._context.config, context.config
        cache = None
        if parts.cache is not None and renewal.upstreams is not None:
            cache = parts.cache.next(context, renewal.upstreams)
        backend = attrs.evolve(
            parts.backend,
            controller=self._controller(context),
            namespace=parts.backend.namespace
            if cache is None
            else parts.around(cache.cache.namespace),
        )
        serving = None
        if cache is not None or config != before:
            serving = build_serving(context, backend)
        checks = None
        if config.health != before.health:
            driver = parts.backend.local.driver
            checks = health_checks(config.health, driver, context.reactor)
        return _Made(backend, cache, serving, checks)

    def _controller(self, context: Context) -> IAccessController:
        auth = context.config.auth
        if auth == self._context.config.auth:
            return (
                self._parts.backend.controller
            )  # keeps its cache of checked passwords
        return make_controller(
            auth.controller, auth.parameters, self._parts.disk, context.clock
        )

    def _begin(self, context: Context, made: _Made, renewal: Renewal) -> list[str]:
        """Apply settings to all parts; return the sections whose files have changed."""
        files = self._begin_cache(context, made.cache)
        files += self._renew_tls(context.config, renewal.certificates)
        self._begin_services(context, made.checks)
        for site, _ in self._parts.registry.listeners:
            if isinstance(site, RegistrySite):
                site.follow(made.serving)
        if self.console is not None:
            self.console.follow(context, made.backend.controller)
        self._parts = attrs.evolve(self._parts, backend=made.backend)
        return files

    def _begin_services(
        self, context: Context, checks: tuple[Check, ...] | None
    ) -> None:
        parts, before, config = self._parts, self._context.config, context.config
        if checks is not None:
            parts.health.renew(checks)
        purging = config.storage.maintenance.uploadpurging
        if purging != before.storage.maintenance.uploadpurging:
            delay = context.jitter() * _PURGE_SECONDS
            parts.purging.follow(purge_plan(config, delay))
        scrub = config.storage.maintenance.scrub
        if scrub != before.storage.maintenance.scrub:
            parts.scrub.follow(scrub_plan(context))
        if parts.warming is not None and config.proxy.warm != before.proxy.warm:
            # A cache has imported it at the start.
            from txregistry.assembly.images import warm_plan

            parts.warming.follow(warm_plan(context))
        if config.log != before.log:
            parts.set_log(config.log)
        if parts.notifier is not None:
            section = config.notifications
            references = section.events.includereferences
            settings = settings_of_endpoints(config)
            parts.notifier.renew(settings, references, section.queuelimit)
        parts.backend.transfers.follow(config)
        parts.registry.drain_seconds = config.http.draintimeout

    def _begin_cache(self, context: Context, made: NextCache | None) -> list[str]:
        parts = self._parts
        local = parts.backend.local
        parts.expiry.scheduler.follow(expiry_plan(context.config.proxy, local))
        table = upstream_table(context.config.proxy)
        parts.pinned.follow(read_pins(context.config.cache.pin), table.called)
        if parts.room is not None:
            plan = space_plan(context.config.cache, local)
            parts.room.follow(plan, context.metrics.meter_of)
        if made is None or parts.cache is None:
            return []
        made.begin()
        self._parts = attrs.evolve(parts, cache=made.cache)
        return [] if made.cache.files == parts.cache.files else ["proxy.tls"]

    def _renew_tls(self, config: Config, loaded: Certificates | None) -> list[str]:
        if loaded is None:
            return []
        tls, protocols = config.http.tls, offered_protocols(http2_choice(config))
        changed = []
        for _, endpoint in self._parts.registry.listeners:
            if isinstance(endpoint, TlsEndpoint):
                changed.append(endpoint.take(tls, protocols, loaded))
        return ["http.tls"] if any(changed) else []


def _beside(live: Iterable[str], sections: Iterable[str]) -> Iterable[str]:
    """Return the sections whose files have changed and whose keys have not."""
    return (
        section
        for section in sections
        if not any(is_within(key, section) for key in live)
    )
