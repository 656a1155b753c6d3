"""Checks that run at an interval, and their last results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.interfaces.health import IHealth

#: Fires if all is well; fails with the problem.
Probe = Callable[[], Deferred[None]]


@attrs.define(eq=False)
class Check:
    """One probe, run at an interval.

    :param threshold: failures in a row that make it unhealthy; one success resets it.
    :param timeout: seconds after which a probe has failed.
    """

    name: str
    _probe: Probe
    interval: float
    _threshold: int
    _timeout: float
    _clock: IReactorTime
    _failures: int = 0
    _reason: str = ""
    _probing: Deferred[None] | None = None
    _log = Logger()

    @property
    def problem(self) -> str:
        """Give the problem; empty below the threshold."""
        return self._reason if self._failures >= max(1, self._threshold) else ""

    @background("health")
    @deferred
    async def look(self) -> None:
        """Probe once; never fails."""
        before = self.problem
        probing: Deferred[None] = maybeDeferred(self._probe)
        self._probing = probing.addTimeout(self._timeout, self._clock)
        try:
            await self._probing
        except CancelledError:
            return
        except DeferredTimeout:
            self._failed(f"no answer within {self._timeout:g} s")
        except Exception as error:
            # Any exception of a probe is its result.
            self._failed(str(error) or type(error).__name__)
        else:
            self._failures, self._reason = 0, ""
        if self.problem != before:
            self._log.warn(
                "health check {name}: {problem}",
                name=self.name,
                problem=self.problem or "passes again",
            )

    def stop(self) -> None:
        """Cancel a probe under way."""
        if self._probing is not None:
            self._probing.cancel()

    def _failed(self, reason: str) -> None:
        self._failures += 1
        self._reason = reason


@implementer(IHealth)
@attrs.define(eq=False, slots=False)
class Health(Service):
    """Runs the checks; the first probe is one interval after the start."""

    _checks: tuple[Check, ...]
    _clock: IReactorTime
    _loops: list[LoopingCall] = attrs.field(factory=list)

    @property
    def healthy(self) -> bool:
        """Tell whether no check fails."""
        return not any(check.problem for check in self._checks)

    def problems(self) -> Mapping[str, str]:
        """Give the problems, by the name of the check."""
        return {check.name: check.problem for check in self._checks if check.problem}

    def renew(self, checks: tuple[Check, ...]) -> None:
        """Replace the checks; the new ones start without failures."""
        self._stop()
        self._checks = checks
        if self.running:
            self._start()

    def startService(self) -> None:
        """Start the checks."""
        super().startService()
        self._start()

    def stopService(self) -> None:
        """Stop the checks."""
        super().stopService()
        self._stop()

    def _start(self) -> None:
        for check in self._checks:
            look: Callable[[], Any] = check.look
            loop = LoopingCall(look)
            loop.clock = self._clock
            loop.start(check.interval, now=False)
            self._loops.append(loop)

    def _stop(self) -> None:
        loops, self._loops = self._loops, []
        for loop in loops:
            loop.stop()
        for check in self._checks:
            check.stop()
