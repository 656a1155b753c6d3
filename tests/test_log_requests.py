"""Two requests at once in a whole house: each event has the id of its own.

Whatever comes from outside (bytes, time, the driver) comes in the context of a third
party, as on a reactor that has just worked for another request. Each request has
repositories and content of its own, whose names tell whose an event is.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import treq
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import deferLater
from twisted.logger import Logger, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.bytes_body import SmallBody
from txregistry.flow.context import in_context, request_id
from txregistry.interfaces.audit import AuditEntry
from txregistry.interfaces.driver import DriverError
from txregistry.observe.audit import AuditLog
from txregistry.observe.logs import make_observer
from txregistry.spec.digest import Digest
from txregistry.storagedriver.inmemory import MemoryDriver, MemoryReader
from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault
from txregistry.testing.wire import Wire

FOREIGN = "of nobody"
IMAGE = "application/vnd.oci.image.manifest.v1+json"

#: Verbs of the driver that are logged, and take their time.
VERBS = ("get", "put", "apply", "stat", "list", "move", "delete", "reader", "writer")
REAL = {verb: getattr(MemoryDriver, verb) for verb in VERBS}

_log = Logger(namespace="txregistry.tests")


class ForeignTime:
    """Moves the bytes and the clock of a house in the context of a third party."""

    def __init__(self, house: TestHouse) -> None:
        self.house = house

    def pass_(self, seconds: float) -> None:
        """Let bytes arrive, and time pass."""
        token = request_id.set(FOREIGN)
        try:
            self.house.pump()
            self.house.clock.advance(seconds)
        finally:
            request_id.reset(token)


@attrs.define
class Side:
    """What one of two clients works with; no name or digest is the other's."""

    mark: str
    house: TestHouse
    content: bytes = b""
    blob: Digest = attrs.field(init=False)
    manifest: Digest = attrs.field(init=False)
    image: bytes = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.content = self.mark.encode() * 60_000
        upstream, name = self.house.upstream, self.name
        self.blob = upstream.add_blob(name, self.content)
        self.image = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": IMAGE,
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": str(self.blob),
                    "size": len(self.content),
                },
                "layers": [],
            }
        ).encode()
        self.manifest = upstream.add_manifest(name, self.image, f"t-{self.mark}")

    @property
    def name(self) -> str:
        return f"lib/{self.mark}"

    @property
    def marks(self) -> tuple[str, ...]:
        return (self.name, self.blob.hex, self.manifest.hex, f"t-{self.mark}")


#: Gives the method, the path and the body of a request; those to a registry push.
Ask = Callable[[Side], tuple[str, str, bytes | None]]

PULLS: dict[str, Ask] = {
    "blob": lambda side: ("GET", f"/v2/{side.name}/blobs/{side.blob}", None),
    "head": lambda side: ("HEAD", f"/v2/{side.name}/blobs/{side.blob}", None),
    "tag": lambda side: ("GET", f"/v2/{side.name}/manifests/t-{side.mark}", None),
    "digest": lambda side: ("GET", f"/v2/{side.name}/manifests/{side.manifest}", None),
    "tags": lambda side: ("GET", f"/v2/{side.name}/tags/list", None),
    "referrers": lambda side: ("GET", f"/v2/{side.name}/referrers/{side.blob}", None),
    "none": lambda side: ("GET", f"/v2/{side.name}/manifests/none", None),
}

PUSHES: dict[str, Ask] = {
    "upload": lambda side: (
        "POST",
        f"/v2/{side.name}/blobs/uploads/?digest={side.blob}",
        side.content,
    ),
    "wrong": lambda side: (
        "POST",
        f"/v2/{side.name}/blobs/uploads/?digest={side.manifest}",
        side.content,
    ),
    "manifest": lambda side: (
        "PUT",
        f"/v2/{side.name}/manifests/{side.manifest}?tag=t-{side.mark}",
        side.image,
    ),
    "delete": lambda side: (
        "DELETE",
        f"/v2/{side.name}/manifests/{side.manifest}",
        None,
    ),
    "unlink": lambda side: ("DELETE", f"/v2/{side.name}/blobs/{side.blob}", None),
}


@attrs.define
class LoggedAudit(AuditLog):
    """Logs entries, and remembers whose they said that they were."""

    entries: list[AuditEntry] = attrs.field(factory=list)

    def record(self, entry: AuditEntry) -> None:
        """Log one."""
        self.entries.append(entry)
        super().record(entry)


class TwoRequestsTests(SynchronousTestCase):
    """All pairs of requests, interleaved."""

    def setUp(self) -> None:
        self.stream = io.StringIO()
        observer = make_observer("json", "debug", {}, self.stream)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.random = random.Random(7)
        self.seen = 0

    def slow_down(self) -> None:
        """Let the driver say what it does, and take its time, as a disk does."""
        for verb in VERBS:
            real = REAL[verb]

            def slow(
                driver: MemoryDriver,
                *given: Any,
                real: Any = real,
                verb: str = verb,
                **named: Any,
            ) -> Deferred[Any]:
                _log.debug("{verb} {given}", verb=verb, given=f"{given} {named}")
                delay = self.random.choice((0.0, 0.01, 0.02, 0.05))
                # As a pool of threads does, which binds its jobs.
                bound = in_context(real)
                return deferLater(driver._clock, delay, bound, driver, *given, **named)

            self.patch(MemoryDriver, verb, slow)

    def build(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.stream.seek(0)
        self.stream.truncate()
        self.audit = LoggedAudit()
        self.house = TestHouse(audit=self.audit)
        self.house.upstream.rate = 2_000_000
        self.sides = [Side("one", self.house), Side("two", self.house)]
        self.time = ForeignTime(self.house)

    def ask(self, wire: Wire, ask: Ask, side: Side) -> None:
        method, path, body = ask(side)
        kind = IMAGE if "/manifests/" in path else "application/octet-stream"
        headers = {} if body is None else {"Content-Type": kind}
        host = f"http://{side.mark}.example"
        asked = HTTPClient(wire).request(
            method,
            f"{host}{path}",
            headers=headers,
            data=None if body is None else SmallBody(body),
            unbuffered=True,
        )
        asked.addCallback(treq.content).addErrback(lambda _: None)

    def both(self, wire: Wire, first: Ask, second: Ask) -> None:
        """Send both, the second a little later, and let all end."""
        self.patch(self.house.recorder, "exchanges", [])
        self.ask(wire, first, self.sides[0])
        self.time.pass_(self.random.choice((0.0, 0.01, 0.03)))
        self.ask(wire, second, self.sides[1])
        for turn in range(2000):
            if len(self.house.recorder.exchanges) == 2:
                break
            self.time.pass_(0.01 if turn < 500 else 0.2)
        for _ in range(30):
            self.time.pass_(0.2)
        self.assertEqual(len(self.house.recorder.exchanges), 2)

    def owners(self) -> dict[str, str]:
        """Give the id of each side's request, of those two that have ended."""
        found = {}
        for exchange in self.house.recorder.exchanges:
            for side in self.sides:
                if side.name in exchange.uri:
                    found[side.mark] = exchange.request_id
        self.assertEqual(len(found), 2)
        return found

    def check(self, what: str) -> None:
        """No event is a third party's, or the other's."""
        owners = self.owners()
        for event in self.events():
            said = str({k: v for k, v in event.items() if k != "traceback"})
            identity = event.get("request", "")
            self.assertNotEqual(identity, FOREIGN, f"{what}: {said}")
            for side in self.sides:
                if any(mark in said for mark in side.marks):
                    self.seen += 1
                    # Background work that names itself is nobody's.
                    allowed = {owners[side.mark], "" if event.get("work") else None}
                    self.assertIn(identity, allowed, f"{what}: {said}")
        for entry in self.audit.entries:
            (side,) = (s for s in self.sides if s.name == entry.repository)
            self.assertEqual(entry.request_id, owners[side.mark])
        self.audit.entries.clear()
        self.stream.seek(0)
        self.stream.truncate()

    def events(self) -> Iterator[dict[str, Any]]:
        """Give our events; the fake upstream runs in this process as well."""
        for event in map(json.loads, self.stream.getvalue().splitlines()):
            if event["logger"].startswith("txregistry."):
                yield event

    def test_pulls(self) -> None:
        """Through a cache: missing, then there."""
        self.slow_down()
        for seed, (name, first) in enumerate(PULLS.items()):
            for other, second in [*PULLS.items()][: seed + 1]:
                self.build(seed)
                for _ in range(2):
                    self.both(self.house.wire, first, second)
                    self.check(f"{name} and {other}")
        self.assertGreater(self.seen, 300)

    def test_pulls_that_fail(self) -> None:
        """An upstream that breaks off, refuses and is away; a disk that is full."""
        self.slow_down()
        faults: dict[str, Callable[[], Fault]] = {
            "cut": lambda: Fault("/v2/lib/", times=9, cut_after=40_000),
            "wrong": lambda: Fault("/v2/lib/", times=9, corrupt=10),
            "error": lambda: Fault("/v2/lib/", times=20, status=500),
            "refused": lambda: Fault("/v2/lib/", times=20, status=401),
            "full": lambda: Fault("/nothing"),
        }
        for seed, (name, make) in enumerate(faults.items()):
            for what in ("blob", "tag", "tags"):
                self.build(seed)
                self.house.upstream.faults.append(make())
                if name == "full":
                    self.break_driver("writer", "apply", "put")
                self.both(self.house.wire, PULLS[what], PULLS[what])
                self.check(f"{what}, {name}")
                if name == "full":
                    self.slow_down()
                self.flushLoggedErrors()
        self.assertGreater(self.seen, 100)

    def break_driver(self, *verbs: str) -> None:
        for verb in verbs:

            def broken(driver: MemoryDriver, *_: Any, **__: Any) -> Deferred[Any]:
                error = DriverError("inmemory", "/x", "no space")
                return deferLater(driver._clock, 0.02, fail, error)

            self.patch(MemoryDriver, verb, broken)

    def test_pushes(self) -> None:
        """To a registry, with deletes, wrong digests and all that comes of them."""
        self.slow_down()
        for seed in range(3):
            self.build(seed)
            order = [*PUSHES.items()]
            for name, first in order:
                other, second = self.random.choice(order)
                self.both(self.house.registry_wire, first, second)
                self.check(f"{name} and {other}")
        self.assertGreater(self.seen, 100)

    def test_broken_pushes(self) -> None:
        """Where the storage fails each failure is that of its request."""
        self.slow_down()
        self.build(1)
        self.break_driver("apply", "writer", "move")
        for what in ("upload", "manifest"):
            self.both(self.house.registry_wire, PUSHES[what], PUSHES[what])
            self.check(what)
        self.flushLoggedErrors()

    def test_bad_sectors(self) -> None:
        """What the disk does not give is told of the request that met it."""
        self.build(1)
        self.both(self.house.wire, PULLS["blob"], PULLS["blob"])
        self.check("filling")
        error = OSError(5, "Input/output error")

        def broken(reader: MemoryReader, *_: Any, **__: Any) -> Deferred[Any]:
            return deferLater(self.house.clock, 0.02, fail, error)

        self.patch(MemoryReader, "read", broken)
        self.patch(MemoryReader, "hash", broken)
        self.both(self.house.wire, PULLS["blob"], PULLS["blob"])
        told = [
            event for event in self.events() if "cannot be read" in event["message"]
        ]
        self.assertEqual(len(told), 2)
        self.check("bad sectors")
        self.flushLoggedErrors()
