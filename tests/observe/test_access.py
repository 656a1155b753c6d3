"""The access log."""

from __future__ import annotations

import io

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.observe import (
    Exchange,
    IExchangeObserver,
)
from txregistry.observe.access import AccessLog, format_combined


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
