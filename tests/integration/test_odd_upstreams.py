"""Odd upstreams on sockets: the whole table at once, and shapes for real clients."""

from __future__ import annotations

import random
from typing import Any

from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Factory, Protocol
from twisted.web.client import Agent
from twisted.web.server import Site

from tests.integration.shapes import SHAPES, Below
from tests.integration.support import IntegrationCase, require, sleep
from tests.integration.test_clients import SINGLE, Clients, PullCase
from tests.tries import tries
from tests.upstreams.odd import OddUpstream, Place
from tests.upstreams.test_wire import CASES
from txregistry.spec.digest import Digest
from txregistry.testing.answers import Got
from txregistry.testing.upstream import FakeUpstream


class TableTests(IntegrationCase):
    """The same table as on the wire, against one daemon."""

    async def fetch(self, url: str, method: str, **headers: str) -> Got:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await HTTPClient(Agent(reactor)).request(
            method, url, headers=named, unbuffered=True, allow_redirects=False
        )
        chunks: list[bytes] = []
        broken = False
        try:
            await response.collect(chunks.append)
        except Exception:
            broken = True
        body = b"".join(chunks)
        return Got(response.code, response.headers, body, response.length, broken)

    async def test_all_at_once_in_any_order(self) -> None:
        """No case spoils another, whichever comes first."""
        upstream = OddUpstream(reactor)
        ports = [
            reactor.listenTCP(0, Site(upstream), interface="127.0.0.1")
            for _ in range(2)
        ]
        for port in ports:
            self.addCleanup(port.stopListening)
        here, there = (f"http://127.0.0.1:{port.getHost().port}" for port in ports)
        cache = await self.cache(here, tagttl="1s")

        def fetch(method: str, path: str, **headers: str) -> Deferred[Got]:
            asked = self.fetch(cache.url + path, method, **headers)
            return Deferred.fromCoroutine(asked)

        order = list(CASES)
        seed = random.randrange(2**32)
        random.Random(seed).shuffle(order)
        running = []
        for kind in order:
            case = kind(Place(here, there, fetch, sleep, 1.0, on_clock=False))
            upstream.cases[case.name] = case
            running.append(Deferred.fromCoroutine(case.run()))
        try:
            await gatherResults(running, consumeErrors=True)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        self.assertNotIn("Traceback", cache.process.text())


class Forgetful(Protocol):
    """A server that answers once on each connection and then says no more."""

    answered = False

    def dataReceived(self, data: bytes) -> None:
        self.factory.asked.append(data.split(b"\r\n")[0])
        if not self.answered:
            self.answered = True
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
            self.transport.write(head + b"hello")


class ConnectionTests(IntegrationCase):
    """What becomes of connections that are kept."""

    async def test_connection_that_a_network_has_forgotten(self) -> None:
        """A question that a kept connection swallows is asked on a new one."""

        factory = Factory.forProtocol(Forgetful)
        factory.asked = []
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        cache = await self.cache(f"http://127.0.0.1:{port.getHost().port}")
        digest = Digest.of(b"hello")
        for name in ("a", "b/c"):
            code, _, body = await self.get(f"{cache.url}/v2/{name}/blobs/{digest}")
            self.assertEqual((name, code, body), (name, 200, b"hello"))
        self.assertGreaterEqual(len(factory.asked), 3)

    async def test_address_of_ipv6(self) -> None:
        """An upstream may be named by an address of IPv6; it hears what we are."""
        upstream = FakeUpstream(reactor)
        digest = upstream.add_blob("a", b"content")
        port = reactor.listenTCP(0, Site(upstream), interface="::1")
        self.addCleanup(port.stopListening)
        url = f"http://[::1]:{port.getHost().port}"
        cache = await self.cache(url, useragent="mine/1")
        code, _, body = await self.get(f"{cache.url}/v2/a/blobs/{digest}")
        self.assertEqual((code, body), (200, b"content"))
        named = {asked.headers.get("user-agent") for asked in upstream.asked}
        self.assertEqual(named, {"mine/1"})


class ShapeTests(PullCase):
    """The real clients, through each shape of upstream that they would meet.

    What a client sees of a shape is told by the table already; two of the clients pull
    through each, and each of them through two. ``make long`` lets all of them.
    """

    async def pull_through(self, shape: Any) -> None:
        require("skopeo", "podman", "containerd", "ctr", "dockerd")
        layout, single, _, id_ = self.make_images()
        registry = await self.debian_registry()
        await self.push(layout, registry)
        base = "/artifactory/api/docker/remote" if shape is Below else ""
        site = Site(shape(registry.url, base))
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"http://127.0.0.1:{port.getHost().port}{base}"
        clients = (
            (Clients.skopeo, single),
            (Clients.podman, single),
            (Clients.containerd, single),
            (Clients.dockerd, id_),
        )
        first = SHAPES.index(shape)
        for number in range(first, first + min(len(clients), tries(2))):
            client, expected = clients[number % len(clients)]
            # Each through a cold cache of its own.
            cache = await self.cache(url, f"cache{number}")
            found = await client(Clients(self, cache), SINGLE)
            self.assertEqual((client.__name__, found), (client.__name__, expected))
            await cache.process.end()


def _add(shape: Any) -> None:
    async def test(self: ShapeTests) -> None:
        await self.pull_through(shape)

    test.__doc__ = shape.__doc__
    name = "".join("_" + c.lower() if c.isupper() else c for c in shape.__name__)
    setattr(ShapeTests, f"test{name}", test)


for _shape in SHAPES:
    _add(_shape)
