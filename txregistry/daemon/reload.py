"""Reload the configuration: one reload at a time, logged and reported."""

from __future__ import annotations

import errno
import signal
import termios
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.config.read import ConfigurationError
from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.waiters import Waiters
from txregistry.interfaces.audit import (
    DONE,
    FAILED,
    REFUSED,
    AuditEntry,
    IAudit,
    Requester,
)
from txregistry.interfaces.reload import IReloader, ReloadRefused, ReloadReport
from txregistry.observe.audit import SilentAudit

T = TypeVar("T")


def no_log_files() -> None:
    """Open no files of logs again: there are none."""


class ReloadManager(Protocol):
    """The service manager's view of a reload; see sd_notify(3)."""

    def reloading(self) -> None:
        """Report that a reload has started."""

    def ready(self, text: str) -> None:
        """Report that a reload has ended.

        :param text: the outcome, in one line.
        """


@implementer(IReloader)
@attrs.define(eq=False)
class Reloader(Generic[T]):
    """Runs reloads, one at a time.

    :param read: reads the configuration off the reactor thread; its Deferred fails with
        ``ConfigurationError``.
    :param take: applies what was read, or raises ``ConfigurationError`` and changes
        nothing.
    :param reopen: opens files of logs again, which may have been renamed.
    :param why_busy: returns why no reload is possible now; empty if one is.
    """

    _read: Callable[[], Deferred[T]]
    _take: Callable[[T], ReloadReport]
    _why_busy: Callable[[], str]
    _manager: ReloadManager
    _audit: IAudit = attrs.field(factory=SilentAudit)
    _reopen: Callable[[], None] = no_log_files
    _asked: dict[Requester, None] = attrs.field(factory=dict)
    _waiters: Waiters[ReloadReport] = attrs.field(factory=Waiters)
    _is_running: bool = False
    _log = Logger()

    def reload(self, who: Requester) -> Deferred[ReloadReport]:
        """Read the configuration again and apply it; see :class:`IReloader`.

        Whatever becomes of it, files of logs are opened again.
        """
        self._reopen()
        why = self._why_busy()
        if why:
            self._refuse(who, why)
            return fail(ReloadRefused(why))
        self._asked[who] = None
        done = self._waiters.wait()
        if not self._is_running:
            self._run()
        return done

    @background("reload")
    @deferred
    async def _run(self) -> None:
        self._is_running = True
        while self._asked:
            asked, self._asked = tuple(self._asked), {}
            waiters, self._waiters = self._waiters, Waiters()
            self._manager.reloading()
            report = await self._once(_together(asked))
            with self._log.failuresHandled("the outcome of a reload is not reported"):
                self._tell(report, asked)
            self._manager.ready(summary(report))
            waiters.fire(report)
        self._is_running = False

    @deferred
    async def _once(self, who: str) -> ReloadReport:
        """Reload once; never fails."""
        self._log.info("reloading the configuration for {who}", who=who)
        try:
            new = await self._read()
            why = self._why_busy()
            return ReloadReport(problems=(why,)) if why else self._take(new)
        except ConfigurationError as error:
            return ReloadReport(problems=tuple(error.problems))
        except Exception as error:
            # Any other error is a fault of ours; the daemon keeps serving.
            self._log.failure("reload failed")
            return ReloadReport(problems=(str(error) or type(error).__name__,))

    def _refuse(self, who: Requester, why: str) -> None:
        self._record(who, REFUSED, why)
        self._log.error("reload for {who} refused: {reason}", who=str(who), reason=why)

    def _tell(self, report: ReloadReport, asked: Sequence[Requester]) -> None:
        for problem in report.problems:
            self._log.error("{problem}", problem=problem)
        for warning in report.warnings:
            self._log.warn("{remark}", remark=warning)
        for key, why in report.restart.items():
            self._log.warn(
                "{key} has changed and needs a restart: {reason}",
                key=key,
                reason=why,
            )
        outcome = FAILED if report.problems else DONE
        waiting = (f"{key} (needs a restart)" for key in report.restart)
        changed = ", ".join((*report.changed, *waiting, *report.problems))
        for who in asked:
            self._record(who, outcome, changed)
        level = self._log.error if report.problems else self._log.info
        level("{summary} (for {who})", summary=summary(report), who=_together(asked))

    def _record(self, who: Requester, outcome: str, detail: str) -> None:
        entry = AuditEntry("reload", outcome, who.who, who.peer, detail=detail)
        self._audit.record(entry)


def _together(asked: Iterable[Requester]) -> str:
    return ", ".join(map(str, asked))


def summary(report: ReloadReport) -> str:
    """Return the outcome in one line (pure)."""
    if report.problems:
        return "reload failed, the previous configuration stays in force"
    if not report.changed and not report.restart:
        return "reloaded, nothing has changed"
    done = f"reloaded, changed: {', '.join(report.changed) or 'nothing'}"
    waits = f"; needs a restart: {', '.join(report.restart)}"
    return done + (waits if report.restart else "")


def reload_on_hangup(reactor: Any, reloader: IReloader) -> None:
    """Reload at SIGHUP, which would end the process otherwise.

    Without its terminal the daemon still ends: the kernel then sends the signal, too.
    The handler runs between any two bytecodes, so it only schedules what to do.

    :param reactor: provides ``IReactorFromThreads`` and ``IReactorCore``.
    """

    def reload() -> None:
        # The outcome is logged.
        reloader.reload(who=Requester("SIGHUP")).addErrback(lambda _: None)

    def on_signal(*_: Any) -> None:
        reactor.callFromThread(reactor.stop if terminal_is_gone() else reload)

    signal.signal(signal.SIGHUP, on_signal)


def terminal_is_gone() -> bool:
    """Tell if standard input is a terminal that was hung up."""
    try:
        termios.tcgetattr(0)
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)
    return False
