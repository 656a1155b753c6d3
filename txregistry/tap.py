"""``twistd registry``: options, configuration, service."""

from __future__ import annotations

import atexit
import faulthandler
import os
import random
import sys
import time
from typing import Any, ClassVar

import attrs
import yaml
from twisted.logger import ILogObserver, Logger
from twisted.python.usage import Options as TwistedOptions

from txregistry import __version__
from txregistry.assembly.loading import EX_CONFIG, load
from txregistry.config.model import AuditSection, Log
from txregistry.config.read import ConfigurationError
from txregistry.config.show import effective
from txregistry.daemon.registry import Registry
from txregistry.daemon.reload import reload_on_hangup
from txregistry.flow.clocks import steady_clock
from txregistry.observe.logs import RenewableObserver, make_observer
from txregistry.observe.outlet import DroppedLines, Outlet
from txregistry.speed.memory import keep_buffers, tune_gc

_log = Logger(namespace="txregistry.config")


class Options(TwistedOptions):
    """The command line of ``twistd registry``."""

    synopsis = "[-c FILE] [--check]"
    optParameters: ClassVar = [
        (
            "config",
            "c",
            None,
            (
                "The configuration file, in the format of Docker distribution. Without "
                "one, REGISTRY_CONFIGURATION_PATH; without that, a cache of Docker Hub "
                "on 127.0.0.1:5000."
            ),
        ),
    ]
    optFlags: ClassVar = [
        ("check", None, "Check the configuration, print what it comes to, and end."),
    ]

    def opt_version(self) -> None:
        """Print the version and end."""
        sys.stdout.write(f"txregistry {__version__}\n")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Read the configuration before anything starts; all problems at once."""
        try:
            self.registry_config, self.warnings = load(
                self["config"], os.environ, is_service=not self["check"]
            )
        except ConfigurationError as error:
            for problem in error.problems:
                sys.stderr.write(f"{problem}\n")
            raise SystemExit(EX_CONFIG) from error
        if self["check"]:
            for warning in self.warnings:
                sys.stderr.write(f"warning: {warning}\n")
            yaml.safe_dump(effective(self.registry_config), sys.stdout)
            raise SystemExit(0)


def makeService(options: Options) -> Registry:
    """Build the daemon from its options; nothing starts yet."""
    from twisted.internet import reactor

    from txregistry.assembly.context import make_context
    from txregistry.assembly.registry import build_registry
    from txregistry.assembly.tracing import build_tracing

    # Twisted counts by the clock on the wall, and waits an hour longer when that is set
    # back an hour.
    reactor.seconds = steady_clock(time.time, time.monotonic)  # type: ignore[method-assign]
    config = options.registry_config
    descriptors = [*_descriptors(options), *_audit_descriptors(config.log.audit)]
    # The watchdog of systemd ends a reactor that hangs by SIGABRT: say where it hung.
    faulthandler.enable(descriptors[0])
    outlets = dict(
        zip(
            ("events", "access", "audit"),
            (Outlet(number, reactor) for number in descriptors),
            strict=False,
        )
    )
    for outlet in outlets.values():
        atexit.register(outlet.close)
    jitter = random.SystemRandom().random

    def give_up() -> None:
        # twistd itself ends with 0 whatever happened; a supervisor has to know.
        atexit.register(os._exit, 1)
        # With storage in memory we get here before the reactor runs.
        reactor.callWhenRunning(reactor.stop)

    def observer_of(log: Log) -> ILogObserver:
        return make_observer(
            log.formatter,
            log.level,
            log.fields,
            outlets["events"],
            outlets.get("audit"),
        )

    observer = RenewableObserver(observer_of(config.log))
    try:
        context = make_context(config, reactor, os.environ, jitter, time.time)
        tracing = build_tracing(os.environ, reactor)
        context = attrs.evolve(context, tracer=tracing.tracer)
        registry, reloader = build_registry(
            context,
            outlets["access"],
            give_up,
            lambda log: observer.renew(observer_of(log)),
            _absolute(options["config"]),
        )
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EX_CONFIG) from error
    context.metrics.registry.register(DroppedLines(outlets))
    registry.log_observer = observer
    reload_on_hangup(reactor, reloader)
    if tracing.service is not None:
        registry.add_first(tracing.service)
    for warning in (*options.warnings, *filter(None, [tracing.warning])):
        _log.warn("{warning}", warning=warning)
    keep_buffers()
    tune_gc()
    return registry


def _absolute(path: str | None) -> str | None:
    """Return the path for reloads: twistd may change the working directory."""
    path = path or os.environ.get("REGISTRY_CONFIGURATION_PATH")
    return path and os.path.abspath(path)


def _audit_descriptors(audit: AuditSection) -> list[int]:
    """Open the file of the audit trail, if it has one of its own.

    Only the owner and the group may read who did what.
    """
    if audit.disabled or not audit.path:
        return []
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    try:
        return [os.open(audit.path, flags, 0o640)]
    except OSError as error:
        sys.stderr.write(f"log.audit.path: {error}\n")
        raise SystemExit(EX_CONFIG) from error


def _descriptors(options: Options) -> tuple[int, int]:
    """Choose where logs go: with twistd's ``-n``, events to stderr, accesses to stdout.

    As a daemon, or with ``--logfile``, both go to the file.
    """
    parent: Any = options.parent or {}
    path = parent.get("logfile")
    if path is None and not parent.get("nodaemon", True):
        path = "twistd.log"
    if path is None or path == "-":
        stderr, stdout = sys.__stderr__, sys.__stdout__
        assert stderr is not None and stdout is not None
        return stderr.fileno(), stdout.fileno()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    return descriptor, descriptor
