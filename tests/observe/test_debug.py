"""The debug listener."""

from __future__ import annotations

import json

from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from txregistry.health.checks import Health
from txregistry.health.diagnosis import Diagnosis
from txregistry.observe.debug import Debug
from txregistry.observe.metrics import Metrics
from txregistry.remote.body import collect
from txregistry.testing.wire import Wire


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

    def debug(self, looks, exposition=lambda: b"", path: str = "") -> Debug:
        diagnosis = Diagnosis(Health((), Clock()), looks)
        return Debug(diagnosis.problems, lambda: {"x": 1}, exposition, path)

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

    def test_notes(self) -> None:
        """They are told, and do not make it unhealthy."""
        diagnosis = Diagnosis(Health((), Clock()), {}, lambda: {"offline": "yes"})
        debug = Debug(diagnosis.problems, dict, bytes, "", diagnosis.notes)
        found = self.get(debug, "/debug/health")
        self.assertEqual(found, (200, b'{"offline": "yes"}'))

    def test_metrics(self) -> None:
        """Served where configured, else not at all."""
        debug = self.debug({}, Metrics("up").exposition, "/m")
        code, body = self.get(debug, "/m")
        self.assertEqual(code, 200)
        self.assertIn(b"registry_proxy_hits_total", body)
        code, _ = self.get(self.debug({}), "/metrics")
        self.assertEqual(code, 404)
