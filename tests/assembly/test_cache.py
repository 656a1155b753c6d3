"""A cache as it is configured, and what a reload changes of it."""

from __future__ import annotations

import json
from typing import Any

import treq
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.web.server import Site

from tests.assembly.test_reload import CACHE, DaemonCase
from txregistry.assembly import upstream as assembly_upstream
from txregistry.daemon.debug import LimitedFactory
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import FakeUpstream, Fault
from txregistry.testing.wire import Wire
from txregistry.web.http.site import RegistrySite

TAG = "/v2/lib/x/manifests/v1"
MISSING = "/v2/lib/x/manifests/none"


class CachedCase(DaemonCase):
    """A whole daemon in front of an upstream on a wire."""

    def begin(self, **proxy: Any) -> None:
        """Start with other keys of ``proxy``."""
        self.patch(assembly_upstream, "make_core_agent", self.core)
        self.wires: list[Wire] = []
        self.start(proxy={**CACHE, **proxy})
        self.upstream.add_manifest("lib/x", image_manifest(), "v1")

    def core(self, reactor: Any, *_: Any) -> Wire:
        """Make what connects: each reload that makes new agents makes one."""
        if not self.wires:
            self.upstream = FakeUpstream(reactor)
        wire = Wire(Site(self.upstream, reactor=reactor), reactor)
        self.wires.append(wire)
        return wire

    def change(self, **proxy: Any) -> tuple[str, ...]:
        """Reload with other keys of ``proxy``; give those that have changed."""
        return self.reload(proxy={**CACHE, **proxy}).changed

    def pump(self) -> None:
        for _ in range(40):
            wires = (self.wire, *self.wires)
            while any(wire.pump() for wire in wires):
                pass
            self.reactor.advance(0.01)

    def send(self, method: str, path: str, **headers: str) -> Any:
        done = self.ask(method, path, **headers)
        self.pump()
        return self.successResultOf(done)

    def status(self, path: str) -> int:
        found: int = self.send("GET", path).code
        return found

    def asked(self) -> int:
        return len(self.upstream.asked)


class CacheTests(CachedCase):
    """Keys of an upstream take effect."""

    def test_onerror(self) -> None:
        """The rule of now decides, without a restart."""
        self.begin(tagttl="0s")
        self.assertEqual(self.status(TAG), 200)
        self.upstream.faults.append(Fault("/v2/", times=99, status=401))
        self.assertEqual(self.status(TAG), 401)
        changed = self.change(tagttl="0s", onerror={401: "stale"})
        self.assertEqual(changed, ("proxy.onerror",))
        self.assertEqual(self.status(TAG), 200)
        self.change(tagttl="0s")
        self.assertEqual(self.status(TAG), 401)

    def test_negativettl(self) -> None:
        """What is missing is remembered, and forgotten with other credentials."""
        self.begin()
        self.assertEqual(self.status(MISSING), 404)
        before = self.asked()
        self.assertEqual(self.status(MISSING), 404)
        self.assertEqual(self.asked(), before)
        self.change(tagttl="5s")
        self.assertEqual(self.status(MISSING), 404)
        self.assertEqual(self.asked(), before)
        self.change(tagttl="5s", password="q")
        self.assertEqual(self.status(MISSING), 404)
        self.assertGreater(self.asked(), before)

    def test_negativettl_is_switched_off(self) -> None:
        """A reload with 0 asks each time."""
        self.begin()
        self.assertEqual(self.status(MISSING), 404)
        self.change(negativettl="0s")
        for _ in range(2):
            before = self.asked()
            self.assertEqual(self.status(MISSING), 404)
            self.assertGreater(self.asked(), before)

    def test_revalidate(self) -> None:
        """A tag is answered without its upstream, and asked about behind."""
        self.begin(tagttl="0s", revalidate="behind")
        self.assertEqual(self.status(TAG), 200)
        before = self.asked()
        self.assertEqual(self.status(TAG), 200)
        self.assertEqual(self.asked(), before + 1)
        self.upstream.faults.append(Fault("/v2/", times=99, status=401))
        self.assertEqual(self.status(TAG), 200)
        self.assertEqual(self.status(TAG), 401)

    def test_revalidate_again(self) -> None:
        """A reload changes when it is asked."""
        self.begin(tagttl="0s")
        self.assertEqual(self.status(TAG), 200)
        self.upstream.faults.append(Fault("/v2/", times=99, status=401))
        self.change(tagttl="0s", revalidate="behind", stalewhile="1m")
        self.assertEqual(self.status(TAG), 200)
        self.change(tagttl="0s")
        self.assertEqual(self.status(TAG), 401)

    def test_ratelimit(self) -> None:
        """The reserve is live, and other credentials have another allowance."""
        self.begin(tagttl="0s")
        self.upstream.headers = {
            "ratelimit-limit": "100",
            "ratelimit-remaining": "20",
        }
        self.assertEqual(self.status(TAG), 200)
        self.assertEqual(self.spared(), 0)
        self.change(tagttl="0s", ratelimit={"reserve": "30%"})
        self.assertEqual(self.status(TAG), 200)  # the one that is asked
        self.assertEqual(self.spared(), 2)
        self.change(tagttl="0s", ratelimit={"reserve": "30%"}, password="q")
        self.assertLess(self.spared(), 2)
        self.change(tagttl="0s", ratelimit={"reserve": "0"})
        self.assertEqual(self.spared(), 0)

    def test_maxrate(self) -> None:
        """It is live, also for current downloads."""
        self.begin(maxrate="1000")
        digest = self.upstream.add_blob("lib/x", bytes(400_000))
        done = self.ask("GET", f"/v2/lib/x/blobs/{digest}").addCallback(treq.content)
        self.pump()
        self.assertNoResult(done)
        self.assertEqual(self.change(), ("proxy.maxrate",))
        self.pump()
        self.assertEqual(len(self.successResultOf(done)), 400_000)

    def test_ratelimit_of_a_mirror(self) -> None:
        """What a mirror says of its own limits is not taken for the upstream's."""
        self.begin(tagttl="0s", mirrors=["http://mirror.example"])
        self.pump()  # we log in at the upstream
        self.upstream.headers = {"ratelimit-limit": "100", "ratelimit-remaining": "1"}
        self.assertEqual(self.status(TAG), 200)
        self.assertTrue(self.upstream.asked)
        registry = self.context.metrics.registry
        labels = {"upstream": "upstream.example"}
        found = registry.get_sample_value("registry_proxy_ratelimit_remaining", labels)
        self.assertIsNone(found)
        self.assertEqual(self.spared(), 0)

    def spared(self) -> int:
        """Ask twice; count those that the upstream is not asked for."""
        before = self.upstream.count("HEAD", TAG)
        for _ in range(2):
            self.assertEqual(self.status(TAG), 200)
        return 2 - (self.upstream.count("HEAD", TAG) - before)


class OfflineTests(CachedCase):
    """``proxy.offline``, and the command."""

    def begin(self, **proxy: Any) -> None:
        super().begin(**proxy)
        (self.debug,) = (
            factory
            for factory, _ in self.registry.listeners
            if isinstance(factory, LimitedFactory)
            and not isinstance(factory, RegistrySite)
        )

    def write(self, **config: Any) -> None:
        super().write(http={"debug": {"addr": "127.0.0.1:5001"}}, **config)

    def health(self) -> Any:
        wire = Wire(self.debug, self.reactor)
        asked = HTTPClient(wire).request("GET", "http://debug.example/debug/health")
        done: Deferred[Any] = asked.addCallback(treq.content)
        for _ in range(20):
            wire.pump()
            self.reactor.advance(0.01)
        return json.loads(self.successResultOf(done))

    def metric(self) -> float | None:
        registry = self.context.metrics.registry
        return registry.get_sample_value("registry_proxy_offline")

    def test_from_the_start(self) -> None:
        """No login, no question; health and a metric say so."""
        self.begin(offline=True)
        self.assertEqual(self.status(TAG), 503)
        self.assertEqual(self.upstream.asked, [])
        self.assertEqual(list(self.health()), ["offline"])
        self.assertEqual(self.metric(), 1)

    def test_mirrors(self) -> None:
        """They are asked nothing either."""
        self.begin(offline=True, mirrors=["http://mirror.example"])
        self.assertEqual(self.status(TAG), 503)
        self.assertEqual(self.upstream.asked, [])
        self.change(mirrors=["http://mirror.example"])
        self.assertEqual(self.status(TAG), 200)

    def test_reload(self) -> None:
        """The key is live both ways."""
        self.begin()
        self.assertEqual((self.health(), self.metric()), ({}, 0))
        self.assertEqual(self.change(offline=True), ("proxy.offline",))
        self.assertEqual(self.status(TAG), 503)
        self.assertEqual((list(self.health()), self.metric()), (["offline"], 1))
        # Agents that are new ask nothing either.
        self.change(offline=True, password="q", connecttimeout="3s")
        self.assertEqual(self.status(TAG), 503)
        self.assertEqual(self.change(password="q")[0], "proxy.connecttimeout")
        self.assertEqual(self.status(TAG), 200)
        self.assertEqual((self.health(), self.metric()), ({}, 0))
