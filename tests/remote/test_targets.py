"""Upstreams that lead inward."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IReactorPluggableNameResolver
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.test import iosim
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import directlyProvides

from txregistry.observe.metrics import Metrics
from txregistry.remote.client import Limits, UpstreamClient, make_agents
from txregistry.remote.connections import KeepAlivePool
from txregistry.remote.credentials import StaticCredentials
from txregistry.remote.failures import TargetRefused
from txregistry.remote.targets import make_targets
from txregistry.remote.transport import TlsFiles, make_core_agent
from txregistry.spec.errors import UpstreamFailed

PUBLIC, PRIVATE, LOOPBACK = "93.184.216.34", "10.1.2.3", "127.0.0.1"
METADATA = "169.254.169.254"


class Page(Resource):
    """Answers everything with a status, a location and a body."""

    isLeaf = True

    def __init__(self, status: int = 200, location: str = "", body: bytes = b"x"):
        super().__init__()
        self.status, self.location, self.body = status, location, body
        self.challenge = ""

    def render(self, request: Request) -> bytes:
        request.setResponseCode(self.status)
        if self.location:
            request.setHeader("Location", self.location)
        if self.challenge:
            request.setHeader("WWW-Authenticate", self.challenge)
        return self.body


class Transport(iosim.FakeTransport):
    """A transport without a socket."""

    def getHandle(self) -> None:
        return None

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.kept_alive = enabled


class Net(Clock):
    """A network in memory: names, and what listens at each address.

    :ivar names: the addresses of each name, one list per lookup, the last for good.
    :ivar connected: the addresses that were connected to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, list[list[str]]] = {}
        self.pages: dict[str, Resource] = {}
        self.connected: list[str] = []
        self.pumps: list[iosim.IOPump] = []
        self.nameResolver = self
        directlyProvides(self, IReactorPluggableNameResolver)

    def resolveHostName(
        self, receiver: Any, host: str, portNumber: int = 0, *_: Any
    ) -> None:
        answers = self.names.get(host, [[host]])
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        receiver.resolutionBegan(None)
        for address in found:
            kind = IPv6Address if ":" in address else IPv4Address
            if address[:1].isdigit() or ":" in address:
                receiver.addressResolved(kind("TCP", address, portNumber))
        receiver.resolutionComplete()

    def connectTCP(
        self, host: str, port: int, factory: Factory, *_: Any, **__: Any
    ) -> None:
        self.connected.append(host)
        page = self.pages[host]
        client = factory.buildProtocol(IPv4Address("TCP", host, port))
        server = Site(page, reactor=self).buildProtocol(None)
        pump = iosim.connect(
            server,
            iosim.FakeTransport(server, isServer=True),
            client,
            Transport(client, isServer=False),
        )
        self.pumps.append(pump)

    def pump(self) -> None:
        while any(pump.pump() for pump in self.pumps):
            pass


class RedirectTests(SynchronousTestCase):
    """A whole client on a network in memory, in front of an upstream that redirects."""

    def setUp(self) -> None:
        self.net = Net()
        self.upstream = Page(307)
        self.neighbour = Page(body=b"the neighbour's secret")

    def client(self, home: str, *trusted: str, **environment: str) -> UpstreamClient:
        self.net.names["registry.example"] = [[home]]
        self.net.pages = dict.fromkeys((LOOPBACK, PRIVATE, METADATA), self.neighbour)
        self.net.pages["::1"] = self.neighbour
        self.net.pages[PUBLIC] = Page(body=b"a storage")
        self.net.pages[home] = self.upstream
        url = "http://registry.example"
        pool = KeepAlivePool(self.net, 4)
        targets = make_targets(self.net, url, trusted)
        core = make_core_agent(self.net, pool, TlsFiles(), 5.0, environment, targets)
        nobody = StaticCredentials(None)
        agents = make_agents(
            *(
                url,
                core,
                self.net,
                lambda: 0.5,
                nobody,
                (),
                Limits(),
                Metrics("x"),
                "me",
            ),
            pool,
        )
        return UpstreamClient(agents, self.net)

    def fetch(self, client: UpstreamClient, location: str) -> bytes:
        self.upstream.location = location
        results: list[Any] = []
        asked = client.request("GET", "/v2/lib/x/blobs/sha256:" + "a" * 64)
        asked.addCallback(client.collect, 1000).addBoth(results.append)
        for _ in range(200):
            self.net.pump()
            if results:
                break
            self.net.advance(0.1)
        if not isinstance(results[0], bytes):
            results[0].raiseException()
        return results[0]

    def test_public_upstream_may_not_lead_inward(self) -> None:
        """Nothing at a public address has us ask a neighbour, by number or by name."""
        inside = ("127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "inside.example")
        for host in inside:
            client = self.client(PUBLIC)
            self.net.names["inside.example"] = [[PRIVATE]]
            self.net.connected.clear()
            with self.assertRaises(TargetRefused, msg=host):
                self.fetch(client, f"http://{host}:8080/secret")
            self.assertEqual(self.net.connected, [PUBLIC], host)

    def test_refusal_costs_one_question(self) -> None:
        """Where an upstream may not lead, it is not asked again at once."""
        client = self.client(PUBLIC)
        with self.assertRaises(TargetRefused):
            self.fetch(client, "http://127.0.0.1/")
        self.assertEqual(self.net.connected, [PUBLIC])
        self.assertNotIn("127.0.0.1", str(self.flushLoggedErrors()))

    def test_public_upstream_may_lead_to_public_storage(self) -> None:
        """A storage at a public address is asked as before."""
        self.net.names["cdn.example"] = [[PUBLIC]]
        self.net.names["registry.example"] = [["8.8.8.8"]]
        client = self.client("8.8.8.8")
        self.assertEqual(self.fetch(client, "http://cdn.example/b"), b"a storage")

    def test_connects_to_the_address_that_was_checked(self) -> None:
        """A name that stands for another address a moment later leads to the first."""
        client = self.client("8.8.8.8")
        self.net.names["rebinding.example"] = [[PUBLIC], [LOOPBACK]]
        found = self.fetch(client, "http://rebinding.example/b")
        self.assertEqual((found, self.net.connected[-1]), (b"a storage", PUBLIC))

    def test_of_several_addresses_only_those_that_may_be_asked(self) -> None:
        """An inner address beside a public one is left out."""
        client = self.client("8.8.8.8")
        self.net.names["both.example"] = [[LOOPBACK, PUBLIC]]
        self.fetch(client, "http://both.example/b")
        self.assertEqual(self.net.connected, ["8.8.8.8", PUBLIC])

    def test_private_upstream_may_lead_to_its_storage(self) -> None:
        """One at a private address leads to private ones, never to link-local ones."""
        client = self.client("192.168.7.7")
        self.assertEqual(
            self.fetch(client, "http://10.1.2.3:9000/b"), self.neighbour.body
        )
        for host in (METADATA, LOOPBACK):
            with self.assertRaises(TargetRefused, msg=host):
                self.fetch(client, f"http://{host}/b")

    def test_upstream_on_the_loopback_may_lead_there(self) -> None:
        """A registry beside us has its storage beside us."""
        self.net.pages["127.0.0.2"] = self.upstream
        client = self.client("127.0.0.2")
        self.assertEqual(self.fetch(client, "http://127.0.0.1:9/"), self.neighbour.body)
        with self.assertRaises(TargetRefused):
            self.fetch(client, f"http://{METADATA}/")

    def test_upstream_does_not_become_private(self) -> None:
        """An upstream that was seen at a public address stays a public one."""
        client = self.client(PUBLIC)
        self.upstream.status = 200
        self.fetch(client, "")
        self.upstream.status = 307
        self.net.names["registry.example"] = [[PRIVATE]]
        with self.assertRaises(TargetRefused):
            self.fetch(client, "http://127.0.0.1/")

    def test_trusted_targets(self) -> None:
        """What is listed may be led to: an address, a network, a host, one port."""
        for entry in ("10.1.2.3", "10.0.0.0/8", "10.1.2.3:9000", "in.example:9000"):
            client = self.client(PUBLIC, entry)
            self.net.names["in.example"] = [[PRIVATE]]
            host = "in.example" if "in." in entry else PRIVATE
            found = self.fetch(client, f"http://{host}:9000/b")
            self.assertEqual(found, self.neighbour.body, entry)
            with self.assertRaises(TargetRefused, msg=entry):
                self.fetch(client, "http://127.0.0.1:9000/b")

    def test_token_services_as_well(self) -> None:
        """A token service that is named by a challenge is looked at like a redirect."""
        client = self.client(PUBLIC)
        self.net.names["auth.registry.example"] = [[LOOPBACK]]
        self.upstream.status = 401
        realm = "http://auth.registry.example/token"
        self.upstream.challenge = f'Bearer realm="{realm}",service="x"'
        with self.assertRaises(UpstreamFailed):
            self.fetch(client, "")
        self.assertNotIn(LOOPBACK, self.net.connected)

    def test_pages_of_tags_as_well(self) -> None:
        """A list of tags that is redirected inward is refused."""
        client = self.client(PUBLIC)
        self.upstream.location = "http://127.0.0.1/tags"
        asked = client.request("GET", "/v2/lib/x/tags/list")
        for _ in range(50):
            self.net.pump()
            self.net.advance(0.1)
        self.failureResultOf(asked, TargetRefused)

    def test_addresses_by_an_egress_proxy(self) -> None:
        """What a proxy would be asked for is looked at, as far as it is an address."""
        client = self.client(PUBLIC, http_proxy="http://8.8.4.4:3128")
        self.net.pages["8.8.4.4"] = self.upstream
        self.net.names["registry.example"] = [[]]
        with self.assertRaises(TargetRefused):
            self.fetch(client, "http://10.1.2.3/b")
