"""Where the audit trail of a command goes."""

from __future__ import annotations

import io
import os
import sys
import syslog
from typing import Any

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli import trail
from txregistry.cli.trail import TrailBroken, audit_trail, record_refusal
from txregistry.config.model import AuditSection, Log
from txregistry.interfaces.audit import AuditEntry
from txregistry.observe.audit import AuditLog


class TrailTests(SynchronousTestCase):
    """A file, the log of the system, or standard error."""

    def record(self, log: Log) -> None:
        with audit_trail(log):
            AuditLog().record(AuditEntry("collect", who="root"))
            Logger(namespace="txregistry.x").info("no matter of the trail")
        AuditLog().record(AuditEntry("collect", who="too late"))

    def test_file(self) -> None:
        """It is appended to, in the form of the log, and readable by few."""
        path = self.mktemp()
        log = Log(formatter="json", audit=AuditSection(path=path))
        self.record(log)
        self.record(log)
        with open(path) as file:
            first, second = file
        self.assertIn('"who": "root"', first)
        self.assertIn('"who": "root"', second)
        self.assertEqual(os.stat(path).st_mode & 0o137, 0)

    def test_broken(self) -> None:
        """A file that cannot be opened is told by its key."""
        log = Log(audit=AuditSection(path=os.path.join(self.mktemp(), "x")))
        with self.assertRaisesRegex(TrailBroken, "^log.audit.path: "):
            self.record(log)

    def test_system_log(self) -> None:
        """The log of the system has it where there is one."""
        sent: list[tuple[Any, ...]] = []
        self.patch(trail, "SYSTEM_LOG", os.devnull)
        self.patch(syslog, "openlog", lambda *given: None)
        self.patch(syslog, "syslog", lambda *given: sent.append(given))
        self.record(Log())
        ((level, line),) = sent
        self.assertEqual(level, syslog.LOG_INFO)
        self.assertIn("action=collect outcome=done who=root", line)

    def test_standard_error(self) -> None:
        """Otherwise it is told to whoever runs the command."""
        self.patch(trail, "SYSTEM_LOG", self.mktemp())
        self.patch(sys, "stderr", io.StringIO())
        self.record(Log())
        self.assertEqual(sys.stderr.getvalue().count("who=root"), 1)

    def test_disabled(self) -> None:
        """Nothing is written, and no file made, as by the daemon."""
        path = self.mktemp()
        self.patch(sys, "stderr", io.StringIO())
        log = Log(audit=AuditSection(disabled=True, path=path))
        self.record(log)
        record_refusal(log, "collect", "busy")
        self.assertFalse(os.path.exists(path))
        self.assertEqual(sys.stderr.getvalue(), "")

    def test_refusal(self) -> None:
        """Work that was not begun is written to a file that is there."""
        path = self.mktemp()
        log = Log(audit=AuditSection(path=path))
        record_refusal(log, "verify", "busy")
        self.assertFalse(os.path.exists(path))
        with open(path, "w"):
            pass
        record_refusal(log, "verify", "busy")
        with open(path) as file:
            (line,) = file
        self.assertIn("action=verify outcome=REFUSED who=", line)
        self.assertIn("detail=busy", line)
