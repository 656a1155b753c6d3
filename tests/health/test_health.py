"""What is asked while health checks fail, and what is not."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.health.test_checks import Probed
from txregistry.auth.open import OpenAccess
from txregistry.auth.silly import SillyAccess
from txregistry.health.checks import Check, Health
from txregistry.health.probes import Unhealthy
from txregistry.notifications.silent import NullSink
from txregistry.observe.audit import SilentAudit
from txregistry.spec.gate import Gate
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.testing.wire import Wire
from txregistry.web.api import Api, ApiSettings
from txregistry.web.http.serving import make_serving
from txregistry.web.http.site import RegistrySite

DIGEST = "sha256:" + "0" * 64


class GateTests(SynchronousTestCase):
    """While a check fails, every request is answered 503."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.probe = Probed()
        check = Check("thing", self.probe, 10.0, 1, 5.0, self.house.clock)
        self.health = Health((check,), self.house.clock)
        self.health.startService()
        self.addCleanup(self.health.stopService)
        self.serve(OpenAccess())

    def serve(self, controller: Any) -> None:
        settings = ApiSettings(b"secret", gate=Gate(deletes=True))
        api = Api(
            self.house.local,
            settings,
            controller,
            NullSink(),
            self.health,
            SilentAudit(),
        )
        house = self.house
        site = RegistrySite(make_serving(api.resource(), house.recorder), house.clock)
        house.registry_wire = Wire(site, house.clock)

    def fail_check(self) -> None:
        self.probe.error = Unhealthy("broken")
        self.house.clock.advance(10)
        self.assertFalse(self.health.healthy)

    def assertClosed(self, got: Got, what: Any) -> None:
        self.assertEqual(got.status, 503, what)
        self.assertEqual(
            json.loads(got.body),
            {
                "errors": [
                    {
                        "code": "UNAVAILABLE",
                        "message": "service unavailable",
                        "detail": "health check failed: please see /debug/health",
                    }
                ]
            },
        )

    def test_every_route(self) -> None:
        """Every method of every route is refused, the root too."""
        self.fail_check()
        uploads = "/v2/a/b/blobs/uploads/"
        for method, path in (
            ("GET", "/"),
            ("GET", "/v2/"),
            ("GET", "/v2/_catalog"),
            ("GET", "/v2/a/b/tags/list"),
            ("GET", "/v2/a/b/manifests/latest"),
            ("PUT", "/v2/a/b/manifests/latest"),
            ("DELETE", "/v2/a/b/manifests/latest"),
            ("GET", f"/v2/a/b/blobs/{DIGEST}"),
            ("DELETE", f"/v2/a/b/blobs/{DIGEST}"),
            ("GET", f"/v2/a/b/referrers/{DIGEST}"),
            ("POST", uploads),
            ("GET", f"{uploads}x"),
            ("PATCH", f"{uploads}x"),
            ("PUT", f"{uploads}x?digest={DIGEST}"),
            ("DELETE", f"{uploads}x"),
        ):
            self.assertClosed(self.house.send(method, path), (method, path))

    def test_head(self) -> None:
        """HEAD gets the status without a body."""
        self.fail_check()
        for path in ("/", "/v2/", "/v2/a/b/manifests/latest"):
            got = self.house.send("HEAD", path)
            self.assertEqual((got.status, got.body), (503, b""), path)

    def test_before_access(self) -> None:
        """The gate closes before anybody is asked who they are."""
        self.serve(SillyAccess("r", "s"))
        self.assertEqual(self.house.send("GET", "/v2/").status, 401)
        self.fail_check()
        self.assertClosed(self.house.send("GET", "/v2/"), "silly")

    def test_opens_again(self) -> None:
        """When the check passes again, requests are answered as before."""
        self.assertEqual(self.house.send("GET", "/").status, 200)
        self.fail_check()
        self.assertEqual(self.house.send("GET", "/").status, 503)
        self.probe.error = None
        self.house.clock.advance(10)
        for path in ("/", "/v2/"):
            self.assertEqual(self.house.send("GET", path).status, 200)

    def test_nothing_is_changed(self) -> None:
        """What is refused has no effect."""
        before = self.house.paths()
        self.fail_check()
        self.house.send("POST", "/v2/a/b/blobs/uploads/")
        self.assertEqual(self.house.paths(), before)
