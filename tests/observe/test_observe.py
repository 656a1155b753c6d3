"""Logs, the access log, metrics and the debug listener."""

from __future__ import annotations

import io
import json

from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site
from zope.interface.verify import verifyObject

from txregistry.flow.context import request_id
from txregistry.health.checks import Health
from txregistry.interfaces.observe import (
    Count,
    Exchange,
    IExchangeObserver,
    IMeter,
    Lookup,
)
from txregistry.observe.access import AccessLog, format_combined
from txregistry.observe.debug import Debug
from txregistry.observe.logs import make_observer
from txregistry.observe.metrics import Metrics, Observers
from txregistry.remote.body import collect
from txregistry.testing.wire import Wire


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


class MetricsTests(SynchronousTestCase):
    """Metrics."""

    def setUp(self) -> None:
        self.metrics = Metrics("up")

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def test_counts(self) -> None:
        """Every counter has a name and begins at 0."""
        verifyObject(IMeter, self.metrics)
        for what in Count:
            name = {"served_bytes": "pushed_bytes"}.get(what.value, what.value)
            full = f"registry_proxy_{name}_total"
            self.assertEqual(self.value(full, type="blob", upstream="up"), 0)
            self.metrics.count(what, "blob", 3)
            self.assertEqual(self.value(full, type="blob", upstream="up"), 3)

    def test_descriptors(self) -> None:
        """Questions to the cache of descriptors have the names of 2.8 and of 3."""
        names = ("requests", "hits", "errors")
        kinds = ("Request", "Hit", "Miss")

        def found() -> list[float | None]:
            new = [self.value(f"registry_storage_cache_{name}_total") for name in names]
            old = [self.value("registry_storage_cache_total", type=k) for k in kinds]
            return [*new, *old]

        self.assertEqual(found(), [0, 0, 0, 0, 0, 0])
        for lookup, wanted in (
            (Lookup.HIT, [1, 1, 0, 1, 1, 0]),
            (Lookup.MISS, [2, 1, 0, 2, 1, 1]),
            (Lookup.ERROR, [3, 1, 1, 3, 1, 2]),
        ):
            self.metrics.descriptor(lookup)
            self.assertEqual(found(), wanted)

    def test_exchanges(self) -> None:
        """Requests by handler, method and status; odd methods are one."""
        observer = Observers((self.metrics,))
        observer.ended(exchange())
        observer.ended(exchange(method="BREW"))
        total = "registry_http_requests_total"
        for method in ("GET", "other"):
            labels = {"handler": "blob", "method": method, "code": "200"}
            self.assertEqual(self.value(total, **labels), 1)

    def test_upstream(self) -> None:
        """Time to the upstream's head."""
        self.metrics.upstream("GET", "200", 0.5)
        name = "registry_proxy_upstream_seconds_sum"
        labels = {"upstream": "up", "method": "GET", "status": "200"}
        self.assertEqual(self.value(name, **labels), 0.5)


class DebugTests(SynchronousTestCase):
    """The debug listener."""

    def get(self, debug: Debug, path: str) -> tuple[int, bytes]:
        clock = Clock()
        wire = Wire(Site(debug.resource(), reactor=clock), clock)
        asked = wire.request(b"GET", b"http://x" + path.encode())
        wire.pump()
        response = self.successResultOf(asked)
        body = collect(response, 100_000, clock, 10, "x")
        wire.pump()
        return response.code, self.successResultOf(body)

    def debug(self, checks, exposition=lambda: b"", path: str = "") -> Debug:
        return Debug(checks, Health((), Clock()), lambda: {"x": 1}, exposition, path)

    def test_variables(self) -> None:
        """What distribution publishes as variables is JSON."""
        self.assertEqual(self.get(self.debug({}), "/debug/vars"), (200, b'{"x": 1}'))

    def test_health(self) -> None:
        """200 and nothing, or 503 and what is wrong."""
        well = self.debug({"storage": lambda: succeed(None)})
        self.assertEqual(self.get(well, "/debug/health"), (200, b"{}"))
        ill = self.debug({"storage": lambda: fail(OSError("gone"))})
        code, body = self.get(ill, "/debug/health")
        self.assertEqual((code, json.loads(body)), (503, {"storage": "gone"}))

    def test_metrics(self) -> None:
        """Served where configured, else not at all."""
        debug = self.debug({}, Metrics("up").exposition, "/m")
        code, body = self.get(debug, "/m")
        self.assertEqual(code, 200)
        self.assertIn(b"registry_proxy_hits_total", body)
        code, _ = self.get(self.debug({}), "/metrics")
        self.assertEqual(code, 404)
