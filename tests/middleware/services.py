"""What a middleware is made with."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.middleware import Services


def services(clock: Clock | None = None, started: list[Any] | None = None) -> Services:
    """Give what a middleware may use, on a clock."""
    clock, started = clock or Clock(), [] if started is None else started
    return Services(clock, clock, InlineDisk().run, started.append)
