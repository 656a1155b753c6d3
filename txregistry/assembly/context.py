"""The context that all parts are built with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime

from txregistry.assembly.audit import make_audit
from txregistry.assembly.upstreams import label_of
from txregistry.config.model import Config
from txregistry.flow.clocks import WallClock
from txregistry.interfaces.audit import IAudit
from txregistry.interfaces.tracing import ITracer
from txregistry.observe.metrics import Metrics
from txregistry.spec.upstreams import DEFAULT


@attrs.frozen
class Context:
    """The configuration, and the shared resources of the process.

    :ivar reactor: the real one, or in tests one with its own clock.
    :ivar clock: shows the time of day; see :mod:`txregistry.flow.clocks`.
    :ivar environment: the variables of the process.
    :ivar tracer: traces requests; ``None`` while tracing is off.
    :ivar jitter: gives random numbers from 0 to 1.
    """

    config: Config
    reactor: Any
    clock: IReactorTime
    environment: Mapping[str, str]
    jitter: Callable[[], float]
    metrics: Metrics
    audit: IAudit
    tracer: ITracer | None = None


def make_context(
    config: Config,
    reactor: Any,
    environment: Mapping[str, str],
    jitter: Callable[[], float],
    wall: Callable[[], float] | None = None,
) -> Context:
    """Make the context of one daemon, or of one offline command.

    :param wall: gives the time of day, in seconds since the epoch; by default the
        reactor's.
    """
    return Context(
        config,
        reactor,
        WallClock(reactor, wall or reactor.seconds),
        environment,
        jitter,
        Metrics(label_of(DEFAULT, config.proxy)),
        make_audit(config.log),
    )
