"""Odd upstreams that want a cache of their own: an outage, a path, credentials."""

from __future__ import annotations

import base64
from contextvars import copy_context
from typing import Any
from unittest.mock import patch

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock, deferLater
from twisted.test.iosim import FakeTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer

from tests.upstreams.access import VanityHost
from tests.upstreams.odd import (
    Answer,
    Asked,
    Case,
    OddUpstream,
    Place,
    redirect,
    token,
    unauthorized,
)
from txregistry.flow.context import client_share
from txregistry.interfaces.fills import FillCheckpoint
from txregistry.remote.client import Limits
from txregistry.remote.credentials import Credentials, ICredentialStore
from txregistry.remote.head_support import REMEMBERED_SECONDS, HeadSupport
from txregistry.remote.request_slots import (
    MAX_WAIT,
    MAX_WAITING,
    RequestSlots,
    SlotAgent,
)
from txregistry.spec.digest import Digest
from txregistry.spec.errors import UpstreamUnavailable
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.testing.house import UPSTREAM, TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import FakeUpstream
from txregistry.testing.wire import Wire


class Plain(Case):
    """Answers as a registry does."""


class OwnHouseTests(SynchronousTestCase):
    """One cache for each test."""

    def use(self, kind: type[Case] = Plain, **settings: Any) -> Case:
        self.house = TestHouse(**settings)
        self.upstream = OddUpstream(self.house.clock)
        site = Site(self.upstream, reactor=self.house.clock)
        self.house.upstream_wire._server = site

        async def wait(seconds: float) -> None:
            await deferLater(self.house.clock, seconds)

        place = Place(UPSTREAM, "http://there.example", self.house.ask, wait, 60.0)
        case = self.case = kind(place)
        self.upstream.cases[case.name] = case
        return case

    def run_case(self) -> None:
        self.house.settle(Deferred.fromCoroutine(self.case.run()), step=0.5)

    def lose_upstream(self) -> None:
        self.house.upstream_wire.refused = Refused()

    # An outage.

    def test_cached_and_named_is_served_offline(self) -> None:
        """A layer that came with another image is served, as a manifest names it."""
        case = self.use()
        self.run_case()
        manifest = image_manifest(config=case.digest)
        named = Digest.of(manifest)
        other = f"/v2/{case.name}/b"
        case.answer = lambda asked: (  # type: ignore[method-assign]
            case.document(manifest) if "/manifests/" in asked.path else Answer(404)
        )
        self.assertEqual(self.house.get(f"{other}/manifests/{named}").status, 200)
        self.lose_upstream()
        for path, status in (
            (f"{other}/blobs/{case.digest}", 200),
            (f"/v2/{case.name}/c/blobs/{case.digest}", 502),
        ):
            self.assertEqual((path, self.house.get(path).status), (path, status))

    def test_circuit_opens_when_the_upstream_is_away_and_closes_again(self) -> None:
        """It is asked no more for a while, and by a question of ours after that."""
        case = self.use()
        self.lose_upstream()
        statuses = [self.house.get(case.blob_path).status for _ in range(8)]
        self.assertEqual(statuses[:4], [502] * 4)
        self.assertEqual(statuses[-1], 503)
        self.house.upstream_wire.refused = None
        self.assertEqual(self.house.get(case.blob_path).status, 503)
        self.house.clock.advance(61)
        self.assertEqual(self.house.get(case.blob_path).status, 200)

    def test_path_that_hangs_opens_no_circuit(self) -> None:
        """An upstream that hangs on one path is asked for others all the same."""

        class Hangs(Case):
            """Hangs on one tag."""

            def answer(self, asked: Asked) -> Answer:
                bad = "manifests/bad" in asked.path
                return Answer(hang=True) if bad else self.plain(asked)

        case = self.use(Hangs)
        for _ in range(7):
            got = self.house.get(case.path("manifests/bad"))
            self.assertEqual(got.status, 504)
        self.run_case()

    # Connections.

    def test_connections_are_bounded_and_one_is_kept_for_manifests(self) -> None:
        """While blobs take all other slots, a manifest does not wait."""

        class Slow(Case):
            """Sends a part of each blob and waits."""

            open = most = 0

            def answer(self, asked: Asked) -> Answer:
                if "/blobs/" not in asked.path:
                    return self.plain(asked)
                return Answer(body=b"x" * 100_000, cut_after=70_000, hang=True)

        case = self.use(Slow, limits=Limits(connections=4))
        asked = [
            self.house.ask("GET", case.path(f"blobs/{Digest.of(b'%d' % number)}"))
            for number in range(10)
        ]
        self.house.pump()
        self.assertEqual(self.house.upstream_wire.open_connections, 3)
        got = self.house.settle(
            self.house.ask("GET", case.path("manifests/v1")), step=0.0
        )
        self.assertEqual(got.status, 200)
        for done in asked:
            done.addErrback(lambda _: None)
            done.cancel()
        self.house.settle(self.house.fills.stopService())
        self.assertEqual(case.count("GET", "/blobs/"), 3)

    def test_one_connection_is_enough(self) -> None:
        """With a single slot, tokens and redirects still come."""

        class Token(Case):
            """Wants a token and sends blobs elsewhere."""

            def answer(self, asked: Asked) -> Answer:
                if asked.path.startswith("/token/"):
                    return Answer(body=b'{"token": "t"}')
                if asked.given == "Bearer t":
                    return self.plain(asked)
                realm = f"{self.place.here}/token/{self.name}"
                return unauthorized(f'Bearer realm="{realm}"')

        self.use(Token, limits=Limits(connections=1))
        self.run_case()

    def test_body_that_stops_for_ever(self) -> None:
        """After 90 s without a new byte the client is let go; the part stays."""

        class Stops(Case):
            """Stops after 100 kB, and at each part again."""

            def answer(self, asked: Asked) -> Answer:
                if "/blobs/" not in asked.path:
                    return self.plain(asked)
                if "range" in asked.headers:
                    size = len(self.blob)
                    part = {"Content-Range": f"bytes 100000-{size - 1}/{size}"}
                    return Answer(206, self.blob[100_000:], part, 0, hang=True)
                return Answer(body=self.blob, cut_after=100_000, hang=True)

        case = self.use(Stops)
        began = self.house.clock.seconds()
        got = self.house.get(case.blob_path)
        self.assertTrue(got.broken)
        self.assertLess(self.house.clock.seconds() - began, 95)
        self.assertIn(layout.fill_state(case.digest), self.house.paths())
        case.answer = case.plain  # type: ignore[method-assign]
        self.assertEqual(self.house.get(case.blob_path).body, case.blob)

    def test_upstream_without_ranges_that_is_slow(self) -> None:
        """What is sent once more counts as progress, as long as it goes on."""

        class Drips(Case):
            """Breaks off once, and then sends all of it, slowly."""

            def answer(self, asked: Asked) -> Answer:
                if "/blobs/" not in asked.path or len(self.asked) > 1:
                    return self.plain(asked)
                return Answer(body=self.blob, cut_after=100_000)

        case = self.use(Drips)
        upstream = FakeUpstream(self.house.clock, ranges=False, rate=600)
        upstream.add_blob(case.name, case.blob)
        asked = self.house.ask("GET", case.blob_path)
        self.house.pump()
        self.house.clock.advance(0.1)
        site = Site(upstream, reactor=self.house.clock)
        self.house.upstream_wire._server = site
        began = self.house.clock.seconds()
        got = self.house.settle(asked, step=0.1)
        self.assertGreater(self.house.clock.seconds() - began, 200)
        self.assertEqual((got.broken, got.body == case.blob), (False, True))

    def test_kept_part_that_is_wrong(self) -> None:
        """A part that an earlier process left wrong costs the client nothing."""
        for size in (150_000, None):
            self.leave_wrong_part(size)
            self.run_case()

    def leave_wrong_part(self, size: int | None) -> None:
        case = self.use()
        self.assertLess(len(case.blob), 150_000)
        partial = self.house.settle(self.house.partials.open(digest=case.digest))
        partial.write(b"wrong" * 30_000)
        self.house.settle(partial.flush())
        self.house.settle(partial.checkpoint(state=FillCheckpoint(150_000, size, None)))
        self.house.settle(partial.close())

    # Credentials.

    def test_helper_is_run_again(self) -> None:
        """Credentials that are refused are asked for anew, once."""
        pairs = [Credentials("u", "old"), Credentials("u", "new")]
        for status in (401, 403):
            helper = Helper(list(pairs))

            class Basic(Case):
                """Takes the new password only."""

                refusal = status

                def answer(self, asked: Asked) -> Answer:
                    new = base64.b64encode(b"u:new").decode()
                    if asked.given == f"Basic {new}":
                        return self.plain(asked)
                    if asked.given and self.refusal == 403:
                        return Answer(403)
                    return unauthorized('Basic realm="x"')

            self.use(Basic, store=helper)
            self.run_case()
            self.assertEqual(helper.runs, 2)

    def test_vanity_host_leads_our_credentials_to_nobody_else(self) -> None:
        """Another registry to which we are sent is shown none of ours."""
        self.use(VanityHost, credentials=Credentials("robot", "s3cret"))
        self.run_case()

    def test_token_service_that_sends_us_away(self) -> None:
        """Credentials go along on its own host, and to no other."""
        for shown in (True, False):

            class Moved(Case):
                """Has moved its token service."""

                def answer(self, asked: Asked) -> Answer:
                    if asked.path.startswith("/token/"):
                        url = self.place.here if self.here else self.place.there
                        return redirect(f"{url}/moved/{self.name}", 302)
                    if asked.path.startswith("/moved/"):
                        return token(f"shown-{bool(asked.given)}")
                    if asked.given == f"Bearer shown-{self.here}":
                        return self.plain(asked)
                    realm = f"{self.place.here}/token/{self.name}"
                    return unauthorized(f'Bearer realm="{realm}"')

                here = shown

            self.use(Moved, credentials=Credentials("robot", "s3cret"))
            self.run_case()

    def test_helper_is_run_again_for_the_token_service(self) -> None:
        """So they are where the token service refuses them, even long after."""

        class Service(Case):
            """Has a token service that takes one password at a time."""

            password, text = "old", "one"

            def answer(self, asked: Asked) -> Answer:
                if asked.path.startswith("/token/"):
                    pair = base64.b64encode(f"u:{self.password}".encode()).decode()
                    if asked.given != f"Basic {pair}":
                        return Answer(401)
                    return Answer(body=b'{"token": "%b"}' % self.text.encode())
                if asked.given == f"Bearer {self.text}":
                    return self.plain(asked)
                realm = f"{self.place.here}/token/{self.name}"
                return unauthorized(f'Bearer realm="{realm}"')

        helper = Helper([Credentials("u", "old"), Credentials("u", "new")])
        case = self.use(Service, store=helper)
        self.assertEqual(self.house.get(case.path("manifests/v1")).status, 200)
        case.password, case.text = "new", "two"
        self.run_case()
        self.assertEqual(helper.runs, 2)

    def test_helper_that_knows_no_better(self) -> None:
        """Credentials that stay wrong are refused in the end."""
        helper = Helper([Credentials("u", "old")] * 2)

        class Never(Case):
            """Takes nothing."""

            def answer(self, asked: Asked) -> Answer:
                return unauthorized('Basic realm="x"')

        case = self.use(Never, store=helper)
        self.assertEqual(self.house.get(case.path("manifests/v1")).status, 401)

    # Addresses.

    def test_upstream_below_a_path(self) -> None:
        """A remoteurl may have a path, which links and tokens need not know of."""
        base = "/artifactory/api/docker/remote"

        class Below(Case):
            """Lies below a path."""

            def answer(self, asked: Asked) -> Answer:
                if not asked.path.startswith(base + "/v2/"):
                    return Answer(404)
                if "/tags/" in asked.path:
                    last = "page" in asked.query
                    link = f"</v2/{self.name}/tags/list?page=2>; rel=next"
                    return Answer(
                        body=b'{"tags": ["b"]}' if last else b'{"tags": ["c"]}',
                        headers={} if last else {"Link": link},
                    )
                return self.plain(asked)

        case = self.use(Below, upstream_url=UPSTREAM + base)
        self.run_case()
        got = self.house.get(case.path("tags/list"))
        self.assertIn(b'["b", "c"]', got.body)

    def test_address_of_ipv6(self) -> None:
        """So may it be an address in brackets."""
        self.use(upstream_url="http://[::1]:5000")
        self.run_case()

    # Economy.

    def test_economy(self) -> None:
        """A warm tag costs nothing, then one HEAD; a blob is got once."""
        case = self.use()
        gotten = [self.house.ask("GET", case.blob_path) for _ in range(5)]
        self.house.settle(gatherResults(gotten))
        self.run_case()
        self.run_case()
        self.assertEqual(case.count("GET", "/blobs/"), 1)
        self.assertEqual(case.count("HEAD", "/manifests/"), 1)
        self.house.clock.advance(61)
        self.run_case()
        self.assertEqual(case.count("HEAD", "/manifests/"), 2)
        self.assertEqual(case.count("GET", "/manifests/"), 1)

    def test_pages_of_tags_cost_one_list(self) -> None:
        """Who goes through the pages of a list costs the upstream one list."""

        class Tags(Case):
            """Lists tags."""

            def answer(self, asked: Asked) -> Answer:
                return Answer(body=b'{"tags": ["c", "b", "a"]}')

        case = self.use(Tags)
        for last, expected in (("", b'["a"]'), ("a", b'["b"]'), ("b", b'["c"]')):
            got = self.house.get(case.path(f"tags/list?n=1&last={last}"))
            self.assertIn(expected, got.body)
        self.assertEqual(case.count("GET", "/tags/"), 1)


@implementer(ICredentialStore)
@attrs.define(eq=False)
class Helper:
    """Gives one pair after the other, each until it is forgotten."""

    pairs: list[Credentials]
    runs: int = 0
    known: Credentials | None = None

    def credentials(self, server: str) -> Deferred[Credentials | None]:
        if self.known is None:
            self.runs += 1
            self.known = self.pairs.pop(0) if self.pairs else None
        return succeed(self.known)

    def forget(self, server: str) -> bool:
        self.known = None
        return True


class RequestSlotsTests(SynchronousTestCase):
    """Who is next."""

    def test_order(self) -> None:
        """First come, first served; one slot is reserved for small requests."""
        slots, served = RequestSlots(3), []
        for number in range(4):
            slots.acquire(small=False).addCallback(lambda _, n=number: served.append(n))
        self.assertEqual(served, [0, 1])
        slots.acquire(small=True).addCallback(lambda _: served.append("small"))
        self.assertEqual(served, [0, 1, "small"])
        slots.release()
        self.assertEqual(served, [0, 1, "small"])
        slots.release()
        self.assertEqual(served, [0, 1, "small", 2])
        self.assertEqual(slots.waiting, 1)

    def test_clients_take_turns(self) -> None:
        """One that asks for much does not keep another one waiting behind all of it."""
        slots, served = RequestSlots(1), []

        def ask(client: str, number: int) -> None:
            client_share.set(client)
            waits = slots.acquire(small=False)
            waits.addCallback(lambda _: served.append((client, number)))

        for number in range(200):
            copy_context().run(ask, "a", number)
        copy_context().run(ask, "b", 0)
        slots.release()
        slots.release()
        self.assertEqual(served, [("a", 0), ("a", 1), ("b", 0)])

    def test_client_is_known(self) -> None:
        """What is done for a request is known to be done for its client."""
        seen: list[str] = []
        take = RequestSlots.acquire

        def noted(slots: RequestSlots, *args: Any) -> Any:
            seen.append(client_share.get())
            return take(slots, *args)

        self.patch(RequestSlots, "acquire", noted)
        house = TestHouse()
        for host in ("192.0.2.1", "2001:db8::1:2:3:4"):
            peer = IPv4Address("TCP", host, 1)
            with patch.object(FakeTransport, "getPeer", lambda _, p=peer: p):
                house.get(f"/v2/a/manifests/{host[-1]}")
        self.assertEqual(set(seen), {"192.0.2.1", f"{0x20010DB800000000:x}"})

    def test_what_goes_on_comes_first(self) -> None:
        """What has begun already does not wait behind what has not."""
        slots, served = RequestSlots(1), []
        for number in range(3):
            slots.acquire(small=False).addCallback(lambda _, n=number: served.append(n))
        going_on = slots.acquire(small=False, is_resume=True)
        going_on.addCallback(lambda _: served.append("going on"))
        slots.release()
        slots.release()
        self.assertEqual(served, [0, "going on", 1])

    def test_waiting_has_an_end(self) -> None:
        """Neither for ever nor in any number: then it is 503, and nobody waits."""
        clock, slots = Clock(), RequestSlots(1)
        self.successResultOf(slots.acquire(small=False))
        agent = SlotAgent(Wire(Site(Resource()), clock), clock, slots)
        waiting = agent.request(b"GET", b"http://x/v2/a/blobs/x")
        clock.advance(MAX_WAIT)
        self.failureResultOf(waiting, UpstreamUnavailable)
        self.assertEqual(slots.waiting, 0)
        for _ in range(MAX_WAITING):
            slots.acquire(small=True)
        refused = agent.request(b"GET", b"http://x/v2/a/blobs/x")
        self.failureResultOf(refused, UpstreamUnavailable)

    def test_failure_leaves_no_place_taken(self) -> None:
        """A request that fails releases its slot."""
        clock, slots = Clock(), RequestSlots(1)
        wire = Wire(Site(Resource()), clock, Refused())
        agent = SlotAgent(wire, clock, slots)
        self.failureResultOf(agent.request(b"GET", b"http://x/"), Refused)
        self.successResultOf(slots.acquire(small=False))

    def test_tokens_do_not_wait_for_blobs(self) -> None:
        """The reserved slot serves a token service too, whatever its path."""
        clock, slots = Clock(), RequestSlots(2)
        wire = Wire(Site(Resource()), clock)
        agent = SlotAgent(wire, clock, slots)
        for url, waiting in (
            (b"http://x/v2/a/blobs/y", 0),
            (b"http://x/storage/y?sig=1", 1),
            (b"http://x/jwt/auth?service=s&client_id=txregistry", 1),
            (b"http://x/v2/a/manifests/y", 2),
        ):
            agent.request(b"GET", url).addErrback(lambda _: None)
            self.assertEqual((url, slots.waiting), (url, waiting))

    def test_whoever_gives_up(self) -> None:
        """A slot whose waiter was cancelled goes to the next."""
        slots = RequestSlots(1)
        first, second, third = (slots.acquire(small=False) for _ in range(3))
        self.successResultOf(first)
        second.addErrback(lambda _: None)
        second.cancel()
        slots.release()
        self.successResultOf(third)


class HeadSupportTests(SynchronousTestCase):
    """That HEAD is not supported is remembered for a while."""

    def test_several_count_for_all_until_one_answers(self) -> None:
        """Three repositories in a row; and after an hour it is tried again."""
        clock = Clock()
        head_support = HeadSupport(clock)
        names = [RepositoryName.parse(f"a{number}") for number in range(4)]
        for name in names[:3]:
            self.assertTrue(head_support.supports_head(name))
            head_support.head_refused(name)
            self.assertTrue(head_support.supports_head(name))
            head_support.get_answered(name)
            self.assertFalse(head_support.supports_head(name))
        self.assertFalse(head_support.supports_head(names[3]))
        head_support.head_answered(names[0])
        self.assertTrue(head_support.supports_head(names[3]))
        self.assertFalse(head_support.supports_head(names[1]))
        clock.advance(REMEMBERED_SECONDS)
        self.assertTrue(head_support.supports_head(names[1]))
