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
from txregistry.assembly.loading import load
from txregistry.config.model import AuditSection, Log
from txregistry.config.read import EX_CONFIG, ConfigurationError
from txregistry.config.show import effective
from txregistry.daemon.registry import Registry
from txregistry.daemon.reload import reload_on_hangup
from txregistry.flow.clocks import steady_clock
from txregistry.observe.logs import RenewableObserver, make_observer
from txregistry.observe.outlet import (
    AUDIT_MODE,
    LOG_MODE,
    DroppedLines,
    LogFile,
    Outlet,
)
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
    files = _log_files(options, config.log.audit)
    descriptors = _descriptors(files)
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
            lambda: _reopen(files),
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


@attrs.frozen
class _LogFiles:
    """The files of our own logs; ``None`` for the standard streams, and for no file."""

    log: LogFile | None
    audit: LogFile | None


def _log_files(options: Options, audit: AuditSection) -> _LogFiles:
    """Open the files of logs.

    With twistd's ``-n`` and without ``--logfile`` there is none but the audit trail's.
    """
    parent: Any = options.parent or {}
    path = parent.get("logfile")
    if path is None and not parent.get("nodaemon", True):
        path = "twistd.log"
    log = None if path is None or path == "-" else LogFile.open(path, LOG_MODE)
    if audit.disabled or not audit.path:
        return _LogFiles(log, None)
    try:
        return _LogFiles(log, LogFile.open(audit.path, AUDIT_MODE))
    except OSError as error:
        sys.stderr.write(f"log.audit.path: {error}\n")
        raise SystemExit(EX_CONFIG) from error


def _descriptors(files: _LogFiles) -> list[int]:
    """Give where events, accesses and the audit trail go, if it has a file.

    Without a file events go to stderr, accesses to stdout.
    """
    if files.log is None:
        stderr, stdout = sys.__stderr__, sys.__stdout__
        assert stderr is not None and stdout is not None
        found = [stderr.fileno(), stdout.fileno()]
    else:
        found = [files.log.descriptor] * 2
    return found if files.audit is None else [*found, files.audit.descriptor]


def _reopen(files: _LogFiles) -> None:
    """Open files again that may have been renamed, as logrotate does."""
    for file in filter(None, (files.log, files.audit)):
        try:
            file.reopen()
        except OSError as error:
            _log.warn(
                "cannot open a log again, its old file is kept: {error}", error=error
            )
