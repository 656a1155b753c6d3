"""Names and passwords that stand in the URL of an endpoint, or of a health check."""

from __future__ import annotations

import base64
import json
from typing import Any

from treq.client import HTTPClient
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from tests.notifications.test_notifier import Listener, NotifierCase
from tests.reactors import MemoryReactorClock
from txregistry.assembly.health import health_checks
from txregistry.assembly.notifications import endpoint_settings
from txregistry.config.health import HealthSection, HttpHealth
from txregistry.config.notifications import EndpointSection as EndpointConfig
from txregistry.notifications import queue
from txregistry.notifications.endpoint import Endpoint
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.wire import Wire

SECRETS = ("hush", "p4ss")


def encoded(pair: str) -> str:
    """Give the header for a name and a password."""
    return "Basic " + base64.b64encode(pair.encode()).decode()


class EndpointTests(NotifierCase):
    """An endpoint as the configuration names it."""

    url = "http://ann:hush%40p4ss@hook.example:81/hook?x=1"
    headers: dict[str, tuple[str, ...]] = {}

    def endpoint(
        self, name: str, events: queue.EventQueue, **settings: Any
    ) -> Endpoint:
        """Make an endpoint from the configuration of one."""
        listener = self.listeners[name] = Listener()
        listener.clock = self.clock
        self.wires[name] = Wire(Site(listener, reactor=self.clock), self.clock)
        config = EndpointConfig(name, self.url, headers=self.headers, **settings)
        client = HTTPClient(self.wires[name])
        return Endpoint(endpoint_settings(config), events, client, self.clock)

    def sent(self) -> tuple[Any, Any]:
        """Post one event; give the request and the authorization it had."""
        notifier = self.notifier()
        self.emit(notifier, 1)
        self.pass_time(1)
        self.assertEqual(self.listeners["hook"].got, [1])
        (request,) = self.listeners["hook"].requests
        return request, request.requestHeaders.getRawHeaders("authorization")

    def test_basic(self) -> None:
        """A name and a password in the URL are sent as Basic, and not in the URL."""
        request, authorization = self.sent()
        self.assertEqual(authorization, [encoded("ann:hush@p4ss")])
        self.assertEqual(request.uri, b"/hook?x=1")
        host = request.requestHeaders.getRawHeaders("host")
        self.assertEqual(host, ["hook.example:81"])

    def test_name_alone(self) -> None:
        """A name without a password is sent with an empty one."""
        self.url = "http://ann@hook.example/hook"
        self.assertEqual(self.sent()[1], [encoded("ann:")])

    def test_no_name(self) -> None:
        """Without a name nothing is sent of it."""
        self.url = "HTTP://hook.example/hook"
        self.assertIsNone(self.sent()[1])

    def test_header_of_the_configuration(self) -> None:
        """An Authorization header that is configured counts more than the URL."""
        self.headers = {"authorization": ("Bearer x",), "X-Y": ("z",)}
        request, authorization = self.sent()
        self.assertEqual(authorization, ["Bearer x"])
        self.assertEqual(request.requestHeaders.getRawHeaders("x-y"), ["z"])

    def test_never_told(self) -> None:
        """Neither the state of the endpoint, nor a log, nor its repr has a password."""
        with capturedLogs() as logged:
            notifier = self.notifier(threshold=1)
            self.listeners["hook"].answers = [500, None]
            self.emit(notifier, 1)
            self.pass_time(5)
            self.wires["hook"].refused = OSError("refused")
            self.pass_time(5)
        self.assertTrue(logged)
        (state,) = notifier.state()
        self.assertEqual(state["URL"], "http://hook.example:81/hook?********")
        (endpoint,) = notifier._endpoints
        told = json.dumps(state) + repr(logged) + repr(endpoint.settings)
        for secret in (*SECRETS, encoded("ann:hush@p4ss")):
            self.assertNotIn(secret, told)


class HealthTests(SynchronousTestCase):
    """A URL that is asked for health."""

    def test_name(self) -> None:
        """A check is known by its URL without name and password."""
        asked = HealthSection(http=(HttpHealth("http://ann:hush@a.example/up"),))
        (check,) = health_checks(asked, MemoryDriver(Clock()), MemoryReactorClock())
        self.assertEqual(check.name, "http://a.example/up")
