"""Lines of the log."""

from __future__ import annotations

import io
import json

from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.context import request_id
from txregistry.observe.logs import RenewableObserver, make_observer


class LogTests(SynchronousTestCase):
    """Events as lines."""

    def log(self, formatter: str, level: str = "info") -> tuple[Logger, io.StringIO]:
        stream = io.StringIO()
        observer = make_observer(formatter, level, {"service": "edge"}, stream)
        return Logger("txregistry.test", observer=LogPublisher(observer)), stream

    def test_text(self) -> None:
        """Time, level, place, message, fields and request on one line."""
        log, stream = self.log("text")
        token = request_id.set("r1")
        log.info("filled {digest}\nx", digest="d")
        request_id.reset(token)
        line = stream.getvalue()
        self.assertRegex(line, r"^\d{4}-.*Z info \[txregistry.test\] filled d x")
        self.assertTrue(line.endswith("service=edge request=r1\n"))

    def test_json(self) -> None:
        """One object per event, each field under its name."""
        for formatter, time in (("json", "time"), ("logstash", "@timestamp")):
            log, stream = self.log(formatter)
            log.warn("{count} of {what}", count=3, what=["x"])
            event = json.loads(stream.getvalue())
            self.assertEqual(event["message"], "3 of ['x']")
            self.assertEqual((event["count"], event["what"]), (3, "['x']"))
            self.assertEqual((event["level"], event["service"]), ("warn", "edge"))
            self.assertIn(time, event)

    def test_fields_with_reserved_names(self) -> None:
        """A field of an event does not replace the message, the time or the logger."""
        log, stream = self.log("json")
        log.info("from {logger}", message=("legacy",), time=3.0, logger="theirs")
        event = json.loads(stream.getvalue())
        self.assertEqual(event["message"], "from theirs")
        self.assertEqual(event["logger"], "txregistry.test")
        self.assertRegex(event["time"], r"^\d{4}-.*Z$")

    def test_renewed(self) -> None:
        """Whoever holds an observer writes by another one from then on."""
        stream = io.StringIO()
        observer = RenewableObserver(make_observer("text", "info", {}, stream))
        log = Logger("txregistry.test", observer=LogPublisher(observer))
        log.debug("unheard")
        observer.renew(make_observer("json", "debug", {}, stream))
        log.debug("heard")
        self.assertEqual(json.loads(stream.getvalue())["message"], "heard")

    def test_failures(self) -> None:
        """A traceback goes along."""
        for formatter in ("text", "json"):
            log, stream = self.log(formatter)
            log.failure("broken", Failure(ZeroDivisionError("oh")))
            self.assertIn("ZeroDivisionError", stream.getvalue())

    def test_levels(self) -> None:
        """Below the level nothing is written."""
        log, stream = self.log("text", "error")
        log.warn("quiet")
        log.error("loud")
        self.assertEqual(stream.getvalue().count("\n"), 1)
