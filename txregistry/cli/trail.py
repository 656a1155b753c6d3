"""The audit trail of work without a daemon.

It goes to the file of ``log.audit.path``, as the daemon's does. Without one the
daemon's is in its log, which may be anywhere: this one goes to the log of the system,
which is the journal under systemd, or to standard error where there is none.
"""

from __future__ import annotations

import os
import sys
import syslog
from collections.abc import Iterator
from contextlib import closing, contextmanager

import attrs
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from txregistry.admin.requester import ourselves
from txregistry.config.model import Log
from txregistry.interfaces.audit import REFUSED, AuditEntry
from txregistry.observe.audit import AuditLog
from txregistry.observe.logs import AuditSplitter, format_lines
from txregistry.observe.outlet import AUDIT_MODE, ILines, open_log

#: Where programs send what is for the log of the system.
SYSTEM_LOG = "/dev/log"


class TrailBroken(Exception):
    """The audit trail cannot be written; the message says why."""


class SystemLogLines:
    """Sends lines to the log of the system, as of ``txregistry`` and this process."""

    def write(self, text: str) -> None:
        """Send lines."""
        syslog.openlog("txregistry", syslog.LOG_PID, syslog.LOG_DAEMON)
        for line in text.splitlines():
            syslog.syslog(syslog.LOG_INFO, line)


@implementer(ILogObserver)
@attrs.frozen
class Nothing:
    """Ignores events."""

    def __call__(self, event: LogEvent) -> None:
        """Ignore an event."""


def record_refusal(log: Log, action: str, why: str) -> None:
    """Record work that was not begun.

    A file that is not there is not made: of all refusals the one of root is to leave
    no file that the daemon's user cannot write to.

    :param action: ``collect`` or ``verify``.
    :raise TrailBroken: the file of the trail cannot be opened.
    """
    if log.audit.path and not os.path.exists(log.audit.path):
        return
    who = ourselves()
    with audit_trail(log):
        AuditLog().record(AuditEntry(action, REFUSED, who.who, who.peer, detail=why))


@contextmanager
def audit_trail(log: Log) -> Iterator[None]:
    """Write the audit trail while a block runs, unless it is disabled.

    :raise TrailBroken: its file cannot be opened.
    """
    if log.audit.disabled:
        yield
        return
    with _lines(log) as lines:
        formatting = format_lines(log.formatter, log.fields, lines)
        observer = AuditSplitter(Nothing(), formatting)
        globalLogPublisher.addObserver(observer)
        try:
            yield
        finally:
            globalLogPublisher.removeObserver(observer)


@contextmanager
def _lines(log: Log) -> Iterator[ILines]:
    if log.audit.path:
        try:
            descriptor = open_log(log.audit.path, AUDIT_MODE)
        except OSError as error:
            raise TrailBroken(f"log.audit.path: {error}") from error
        with closing(os.fdopen(descriptor, "w", buffering=1, encoding="utf-8")) as file:
            yield file
    else:
        yield SystemLogLines() if os.path.exists(SYSTEM_LOG) else sys.stderr
