"""The access log."""

from __future__ import annotations

import io
import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.observe import (
    Exchange,
    IExchangeObserver,
)
from txregistry.observe.access import AccessLog, format_combined, make_access_log


def exchange(**changes: object) -> Exchange:
    fields: dict[str, object] = {
        "request_id": "r1",
        "handler": "blob",
        "peer": "10.0.0.1",
        "user": "-",
        "method": "GET",
        "uri": "/v2/",
        "protocol": "HTTP/1.1",
        "status": 200,
        "sent_bytes": 5,
        "seconds": 0.25,
        "referer": "",
        "user_agent": "skopeo/1",
        "cache_status": "",
        "aborted": False,
    }
    return Exchange(**{**fields, **changes})


class AccessTests(SynchronousTestCase):
    """The access log."""

    def test_combined(self) -> None:
        """Apache's combined format."""
        stream, clock = io.StringIO(), Clock()
        clock.advance(1_700_000_000)
        log = AccessLog(stream, clock)
        verifyObject(IExchangeObserver, log)
        log.ended(exchange())
        self.assertEqual(
            stream.getvalue(),
            '10.0.0.1 - - [14/Nov/2023:22:13:20 +0000] "GET /v2/ HTTP/1.1" 200 5'
            ' "" "skopeo/1"\n',
        )

    def test_injection(self) -> None:
        """What a client sends cannot break out of its field."""
        line = format_combined(exchange(user_agent='x" 200\n1.2.3.4 - "\\'), "now")
        self.assertEqual(line.count("\n"), 1)
        self.assertIn('x\\" 200\\n1.2.3.4 - \\"\\\\', line)


class JsonAccessTests(SynchronousTestCase):
    """The access log where ``log.formatter`` is ``json`` or ``logstash``."""

    def write(self, formatter: str, **changes: object) -> str:
        stream, clock = io.StringIO(), Clock()
        clock.advance(1_700_000_000)
        log = make_access_log(formatter, {"service": "edge"}, stream, clock)
        verifyObject(IExchangeObserver, log)
        log.ended(exchange(**changes))
        return stream.getvalue()

    def test_fields(self) -> None:
        """Each part has distribution's name; the id is that of all other events."""
        for formatter, time in (("json", "time"), ("logstash", "@timestamp")):
            found = json.loads(self.write(formatter, user="alice"))
            self.assertEqual(found[time], "2023-11-14T22:13:20.000Z")
            self.assertEqual((found["request"], found["http.request.id"]), ("r1", "r1"))
            self.assertEqual(found["http.response.status"], 200)
            self.assertEqual(found["http.response.written"], 5)
            self.assertEqual(found["http.response.duration"], 0.25)
            self.assertEqual(found["auth.user.name"], "alice")
            self.assertEqual((found["service"], found["level"]), ("edge", "info"))
            self.assertEqual(found["message"], "GET /v2/ HTTP/1.1 200")

    def test_untrusted(self) -> None:
        """What a client sends cannot end its field or its line."""
        line = self.write("json", user_agent='a"\n{"x": 1}\x1b', uri="/\u2028")
        self.assertEqual(line.count("\n"), 1)
        self.assertTrue(line.isascii())
        self.assertEqual(json.loads(line)["http.request.useragent"][:2], 'a"')

    def test_text(self) -> None:
        """Text is the combined format, as before."""
        self.assertEqual(self.write("text"), format_combined(exchange(), MOMENT))


MOMENT = "14/Nov/2023:22:13:20 +0000"
