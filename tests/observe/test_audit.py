"""The audit trail as lines."""

from __future__ import annotations

import io
import json

from twisted.logger import Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.audit import AuditEntry, IAudit
from txregistry.observe import audit
from txregistry.observe.audit import AuditLog, SilentAudit
from txregistry.observe.logs import make_observer


class AuditLogTests(SynchronousTestCase):
    """One event per entry."""

    def log(self, formatter: str, own: io.StringIO | None = None) -> io.StringIO:
        stream = io.StringIO()
        self.publisher = LogPublisher(
            make_observer(formatter, "error", {}, stream, own)
        )
        logger = Logger("txregistry.audit", observer=self.publisher)
        self.patch(audit, "_log", logger)
        return stream

    def test_contract(self) -> None:
        """Both record; one of them nothing."""
        for each in (AuditLog(), SilentAudit()):
            verifyObject(IAudit, each)
        SilentAudit().record(AuditEntry("push"))

    def test_text(self) -> None:
        """A line at any level, in which no value ends its field."""
        stream = self.log("text")
        AuditLog().record(AuditEntry("push", who="a outcome=x\n", tag="\x1b"))
        self.assertIn(
            "[txregistry.audit] action=push outcome=done"
            " who=a\\x20outcome=x\\x0a tag=\\x1b work=audit\n",
            stream.getvalue(),
        )

    def test_json(self) -> None:
        """The fields under their names, and one by which they are found."""
        stream = self.log("json")
        AuditLog().record(AuditEntry("delete", "DENIED", "eve", "10.0.0.9"))
        found = json.loads(stream.getvalue())
        self.assertIs(found["audit"], True)
        self.assertEqual(
            [found[name] for name in ("action", "outcome", "who", "peer")],
            ["delete", "DENIED", "eve", "10.0.0.9"],
        )

    def test_file_of_its_own(self) -> None:
        """It is there, and not in the log; other events are in the log alone."""
        own = io.StringIO()
        stream = self.log("text", own)
        AuditLog().record(AuditEntry("push"))
        Logger("txregistry.web", observer=self.publisher).error("other")
        self.assertIn("action=push", own.getvalue())
        self.assertNotIn("action=push", stream.getvalue())
        self.assertIn("other", stream.getvalue())
        self.assertNotIn("other", own.getvalue())
