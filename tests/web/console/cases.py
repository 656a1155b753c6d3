"""A cache with an admin listener, in memory, and who visits it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import attrs
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, succeed
from twisted.logger import LogPublisher
from zope.interface import implementer

from tests.images.cases import ImagesCase
from tests.web.raw import Line
from txregistry.admin.commands import OfflineCommand, PinCommand
from txregistry.admin.images import (
    ExplainCommand,
    PurgeCommand,
    RefreshCommand,
    WarmCommand,
)
from txregistry.auth.open import OpenAccess
from txregistry.flow.bytes_body import SmallBody
from txregistry.flow.database import Database
from txregistry.flow.disk import InlineDisk
from txregistry.images.anatomy import Anatomist
from txregistry.images.survey import ReadinessSurvey
from txregistry.interfaces.access import Grant, IAccessController
from txregistry.interfaces.collection import CollectReport
from txregistry.interfaces.overview import (
    DownloadOverview,
    IOverlook,
    Overview,
    UpstreamOverview,
)
from txregistry.observe.activity import Activity
from txregistry.observe.audit import SilentAudit
from txregistry.observe.history import SCHEMA, VERSION, History
from txregistry.spec.errors import Unauthorized
from txregistry.spec.proxies import TrustedProxies
from txregistry.storage.tree.walk import digests_of_tag
from txregistry.testing.answers import Got, read_answer
from txregistry.testing.wire import Wire
from txregistry.web.console.live import EVERY_SECONDS
from txregistry.web.console.site import ConsoleSite
from txregistry.web.console.sources import CacheSources, Sources
from txregistry.web.console.visitors import Reception

UPSTREAM = UpstreamOverview(
    "corp",
    "https://corp.example",
    0.0,
    10,
    7,
    1,
    2000,
    9000,
    4,
    0.5,
    100,
    76,
    False,
    0.125,
)
DOWNLOAD = DownloadOverview("sha256:" + "a" * 64, "corp", 1000, 250, 125.0, 3)


@implementer(IOverlook)
class Glance:
    """What is said to be under way."""

    overview = Overview(False, (UPSTREAM,), (DOWNLOAD,))

    def glance(self) -> Overview:
        return self.overview

    def look(self) -> Deferred[Overview]:
        return succeed(self.overview)


@implementer(IAccessController)
class ByName:
    """Believes whoever says a name."""

    def authorize(self, facts: Any, wanted: Any) -> Deferred[Grant]:
        if not facts.authorization:
            raise Unauthorized(None, 'Basic realm="x"')
        return succeed(Grant(facts.authorization))


class Collecting:
    """Tells what a collection would do, when it is told to end."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.done: Deferred[Any] = Deferred()

    def run(self, who: Any, options: Any, tell: Any) -> Deferred[Any]:
        self.asked.append(options)
        tell({"stage": "mark", "done": 1200})
        return self.done

    def end(self, **report: Any) -> None:
        """Report, and be ready to be asked again."""
        done, self.done = self.done, Deferred()
        is_dry = bool(self.asked[-1].get("dry_run"))
        done.callback(attrs.asdict(CollectReport(is_dry, **report)))


class ConsoleCase(ImagesCase):
    """The listener of a cache; everybody may act unless a test says otherwise."""

    roles: Mapping[str, str] = {"*": "operate"}
    is_cache = True
    hosts: tuple[str, ...] = ("admin.example",)

    def setUp(self) -> None:
        super().setUp()
        self.put_image("corp")
        self.publisher = LogPublisher()
        self.problems: dict[str, str] = {}
        self.glance = Glance()
        self.sources = self.make_sources()
        self.reception = Reception(self.controller(), self.roles, self.hosts)
        self.site = ConsoleSite(self.sources, self.reception, self.house.clock)
        self.site.services.startService()
        self.wire = Wire(self.site, self.house.clock)
        self.house.further_wires.append(self.wire)
        self.addCleanup(self.site.services.stopService)

    def controller(self) -> IAccessController:
        return OpenAccess()

    def receive(self, controller: IAccessController) -> None:
        """Let visitors in by another controller, as after a reload."""
        reception = Reception(controller, self.roles, self.hosts)
        self.site.receive(reception, TrustedProxies.parse([]))

    def make_sources(self) -> Sources:
        house = self.house
        self.history = History(
            Database(":memory:", InlineDisk(), SCHEMA, VERSION),
            lambda: {"hits": house.clock.seconds() % 1000, "misses": 1.0},
            lambda: succeed({"stored_bytes": 5.0}),
            house.clock,
            house.clock,
        )
        self.activity = Activity(self.publisher)
        self.activity.startService()
        self.survey = ReadinessSurvey(
            self.images, house.local, house.clock, house.clock
        )
        self.survey.startService()
        self.addCleanup(self.survey.stopService)
        return Sources(
            house.clock,
            house.local,
            Anatomist(house.local, house.clock, house.ledger),
            self.history,
            self.activity,
            self._look,
            self.commands(),
            {"explain": ExplainCommand(self.images)} if self.is_cache else {},
            partial(digests_of_tag, self.house.driver),
            lambda: "cache.example",
            self.cache_sources() if self.is_cache else None,
        )

    def _look(self) -> Deferred[Any]:
        # A test may replace it.
        return self.look_for_problems()

    def look_for_problems(self) -> Deferred[Any]:
        return succeed(self.problems)

    def cache_sources(self) -> CacheSources:
        house = self.house
        return CacheSources(
            self.glance,
            house.room,
            house.pin_list,
            self.images,
            self.survey,
            house.offline,
        )

    def commands(self) -> dict[str, Any]:
        pins = self.house.pin_list
        return {
            "warm": WarmCommand(self.images),
            "refresh": RefreshCommand(self.images),
            "purge": PurgeCommand(self.images, SilentAudit()),
            "pin": PinCommand(lambda who, new: pins.pin(pattern=new)),
            "unpin": PinCommand(lambda who, old: pins.unpin(pattern=old)),
            "offline": OfflineCommand(lambda who: self.house.offline),
            "collect": Collecting(),
        }

    def visit(
        self, path: str, method: str = "GET", body: bytes | None = None, **named: str
    ) -> Got:
        """Ask the listener once."""
        headers = {name.replace("_", "-"): value for name, value in named.items()}
        asked = HTTPClient(self.wire).request(
            method,
            f"http://admin.example{path}",
            headers=headers,
            data=None if body is None else SmallBody(body),
            unbuffered=True,
            allow_redirects=False,
        )
        got: Got = self.house.settle(asked.addCallback(read_answer))
        return got

    def api(self, path: str, **named: str) -> Any:
        """Ask the API, and read its answer."""
        got = self.visit(f"/api/v1/{path}", **named)
        self.assertEqual(got.status, 200, got.body)
        return json.loads(got.body)

    def post(self, path: str, values: Any, **named: str) -> tuple[int, Any]:
        """Send JSON with the token."""
        if "X_CSRF_Token" not in named:
            named["X_CSRF_Token"] = self.api("session")["token"]
        named.setdefault("Content_Type", "application/json")
        got = self.visit(path, "POST", json.dumps(values).encode(), **named)
        return got.status, json.loads(got.body)

    def page(self, path: str, **named: str) -> str:
        """Look at a page."""
        got = self.visit(path, **named)
        self.assertEqual(got.status, 200, got.body)
        self.assertEqual(got.header("Content-Type"), "text/html; charset=utf-8")
        return got.body.decode()

    def submit(self, path: str, **fields: str) -> Got:
        """Send a form as a page would, with the token."""
        fields.setdefault("token", self.api("session")["token"])
        body = "&".join(f"{name}={quote(value)}" for name, value in fields.items())
        kind = "application/x-www-form-urlencoded"
        return self.visit(path, "POST", body.encode(), Content_Type=kind)

    def evolve(self, **changes: Any) -> None:
        """Change what is glanced at."""
        self.glance.overview = attrs.evolve(self.glance.overview, **changes)


class LiveCase(ConsoleCase):
    """Listens to events, as scripts do."""

    def listen(self, path: str) -> Line:
        line = Line(self.house, self.wire)
        line.send(f"GET {path} HTTP/1.1\r\nHost: admin.example\r\n\r\n".encode())
        return line

    def events(self, line: Line) -> list[Any]:
        """Read what has come; chunks are not taken apart, as their sizes are short."""
        head, _, body = line.received.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Type: text/event-stream", head)
        lines = body.decode().split("\n")
        told = [text for text in lines if text.startswith("data: ")]
        return [json.loads(text.removeprefix("data: ")) for text in told]

    def wait(self, ticks: int = 1) -> None:
        for _ in range(ticks):
            self.house.clock.advance(EVERY_SECONDS)
            self.house.clock.advance(0)
            self.house.pump()


#: Elements without an end.
VOID = {"meta", "link", "input", "br"}


class Reader(HTMLParser):
    """Reads a page strictly: all that begins ends, and no id stands there twice."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        found = dict(attributes)
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), attributes
        assert not any(name.startswith("on") for name in names), attributes
        assert "style" not in names, attributes
        if "id" in found:
            self.ids.append(found["id"])
        self.links += [
            found[name] for name in ("href", "src", "action") if name in found
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, tag


class PageCase(ConsoleCase):
    """Reads pages strictly."""

    def read(self, path: str) -> str:
        """Look at a page, and at its form."""
        text = self.page(path)
        reader = Reader(text)
        self.assertEqual(sorted(set(reader.ids)), sorted(reader.ids))
        for link in reader.links:
            self.assertTrue(link.startswith(("/", "#", "data:,")), link)
        self.assertLess(len(text), 150_000)
        return text
