"""Each way in which an upstream can fail, and how it ends for a client."""

from __future__ import annotations

import json
import os

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.credentials import Credentials
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault

SIZE = 400_000
REALM = 'Bearer realm="http://{host}/token",service="test"'


class FaultTests(SynchronousTestCase):
    """A blob of 400 kB from an upstream that fails once, or always."""

    def setUp(self) -> None:
        self.use(TestHouse())

    def use(self, house: TestHouse) -> None:
        self.house = house
        self.content = os.urandom(SIZE)
        self.digest = house.upstream.add_blob("lib/x", self.content)
        self.path = f"/v2/lib/x/blobs/{self.digest}"

    def fault(self, **what: object) -> None:
        self.house.upstream.faults.append(Fault("/blobs/", **what))

    def assert_clean(self) -> None:
        """Nothing is left: no partial file, no connection, no timer, no lease."""
        house = self.house
        house.pump()
        left = [path for path in house.paths() if path.startswith(layout.FILLS)]
        self.assertEqual(left, [])
        self.assertEqual(house.upstream_wire.open_connections, 0)
        self.assertEqual(house.wire.open_connections, 0)
        self.assertEqual(house.clock.getDelayedCalls(), [])
        self.assertFalse(house.content.leases.held(self.digest))
        self.assertEqual(house.count("registry_proxy_fills_in_flight"), 0)

    def assert_whole(self, gets: int) -> None:
        got = self.house.get(self.path)
        self.assertEqual((got.status, got.broken), (200, False))
        self.assertEqual(got.body, self.content)
        self.assertEqual(self.house.upstream.count("GET", "/blobs/"), gets)
        self.assert_clean()

    def assert_error(self, status: int, code: str) -> dict[str, object]:
        got = self.house.get(self.path)
        self.assertEqual(got.status, status)
        self.assertEqual(got.header("Content-Type"), "application/json")
        (error,) = json.loads(got.body)["errors"]
        self.assertEqual(error["code"], code)
        self.assertNotIn("what the upstream says", got.body.decode())
        self.assert_clean()
        return error

    def assert_broken(self) -> None:
        got = self.house.get(self.path)
        self.assertTrue(got.broken)
        self.assertLess(len(got.body), SIZE)
        self.assert_clean()
        self.assertNotIn(layout.blob_data(self.digest), self.house.paths())

    def test_no_fault(self) -> None:
        """Without a fault it is one GET."""
        self.assert_whole(gets=1)

    def test_refused(self) -> None:
        """An upstream that cannot be reached is 502, by its name."""
        self.house.upstream_wire.refused = Refused()
        error = self.assert_error(502, "UNAVAILABLE")
        self.assertEqual(error["detail"]["upstream"], "upstream.example")

    def test_hang_before_headers(self) -> None:
        """An upstream that says nothing for 20 s is 504."""
        self.fault(hang=True, times=100)
        began = self.house.clock.seconds()
        self.assert_error(504, "UNAVAILABLE")
        self.assertLess(self.house.clock.seconds() - began, 120)

    def test_hang_in_the_middle(self) -> None:
        """A body that stands still for 30 s is gone on with by a range."""
        self.fault(cut_after=100_000, how="hang")
        self.assert_whole(gets=2)
        self.assertEqual(self.ranges()[-1], "bytes=100000-")

    def test_reset_in_the_middle(self) -> None:
        """A body that breaks is gone on with by a range."""
        self.fault(cut_after=200_000)
        self.assert_whole(gets=2)
        self.assertEqual(self.ranges()[-1], "bytes=200000-")
        tag = self.house.upstream.asked[-1].headers["if-range"]
        self.assertEqual(tag, f'"{self.digest}"')

    def test_reset_again_and_again(self) -> None:
        """Progress buys further attempts."""
        self.fault(cut_after=66_000, times=1000)
        self.assert_whole(gets=7)

    def test_resuming_where_ranges_are_not_known(self) -> None:
        """What is there already is passed over when the body begins anew."""
        self.house.upstream.ranges = False
        self.fault(cut_after=200_000)
        self.assert_whole(gets=2)

    def test_short_body(self) -> None:
        """A connection closed too early is a body that breaks."""
        self.fault(cut_after=SIZE - 1, how="close")
        self.assert_whole(gets=2)

    def test_always_broken(self) -> None:
        """Without progress it ends; what was fetched is kept for a day, no longer."""
        self.fault(cut_after=100_000, times=1)
        self.fault(cut_after=0, times=1000)
        got = self.house.get(self.path)
        self.assertTrue(got.broken)
        self.assertIn(layout.fill_state(self.digest), self.house.paths())
        self.house.clock.advance(25 * 3600)
        self.successResultOf(self.house.rebuild.purge_partials())
        self.assert_clean()

    def test_kept_part_is_used(self) -> None:
        """A later request fetches only what is missing."""
        self.fault(cut_after=100_000, times=1)
        self.fault(cut_after=0, times=1000)
        self.assertTrue(self.house.get(self.path).broken)
        self.house.upstream.faults.clear()
        self.house.clock.advance(600)
        got = self.house.get(self.path)
        self.assertEqual(got.body, self.content)
        self.assertEqual(self.ranges()[-1], "bytes=100000-")
        self.assert_clean()

    def test_wrong_digest(self) -> None:
        """Content that is not what it should be is never whole, and never stored."""
        self.fault(corrupt=5)
        self.assert_broken()

    def test_wrong_digest_of_a_small_blob(self) -> None:
        """Of a blob below the held-back size not one byte is seen: it is an error."""
        self.content = b"small"
        self.digest = self.house.upstream.add_blob("lib/x", self.content)
        self.path = f"/v2/lib/x/blobs/{self.digest}"
        self.fault(corrupt=0)
        got = self.house.get(self.path)
        self.assertEqual((got.broken, got.status), (False, 502))
        self.assertIn(b"does not match its digest", got.body)

    def test_length_too_long(self) -> None:
        """A body shorter than announced is not taken for the whole."""
        self.fault(announce=SIZE + 10)
        self.assert_broken()

    def test_length_too_short(self) -> None:
        """A body longer than announced is not taken for the whole."""
        self.fault(announce=SIZE - 10)
        got = self.house.get(self.path)
        self.assertTrue(got.broken or len(got.body) < SIZE)
        self.assertNotIn(layout.blob_data(self.digest), self.house.paths())

    def test_no_length(self) -> None:
        """A body of unknown length comes chunked, verified before its end."""
        self.fault(announce=-1)
        self.assert_whole(gets=1)

    def test_no_length_and_wrong_digest(self) -> None:
        """A chunked answer is cut, not ended, when the digest does not agree."""
        self.fault(announce=-1, corrupt=7)
        self.assert_broken()

    def test_401(self) -> None:
        """An upstream's 401 is obeyed."""
        self.fault(status=401, times=100)
        self.assert_error(401, "UNAUTHORIZED")

    def test_403(self) -> None:
        """An upstream's 403 is obeyed."""
        self.fault(status=403, times=100)
        self.assert_error(403, "DENIED")

    def test_404(self) -> None:
        """An upstream's 404 is obeyed."""
        self.fault(status=404, times=100)
        self.assert_error(404, "BLOB_UNKNOWN")

    def test_429(self) -> None:
        """A rate limit is passed on, with when to come back."""
        self.fault(status=429, headers={"Retry-After": "120"}, times=100)
        got = self.house.get(self.path)
        self.assertEqual((got.status, got.header("Retry-After")), (429, "120"))
        self.assert_clean()

    def test_429_for_a_moment(self) -> None:
        """A short wait is made for the client."""
        self.fault(status=429, headers={"Retry-After": "1"})
        self.assert_whole(gets=2)

    def test_500(self) -> None:
        """An upstream's failure is 502, never 500."""
        self.fault(status=500, times=100)
        self.assert_error(502, "UNAVAILABLE")

    def test_503_for_a_moment(self) -> None:
        """A failure that passes is not seen."""
        self.fault(status=503)
        self.assert_whole(gets=2)

    def test_503(self) -> None:
        """One that does not is 502, or 503 once the upstream is left alone."""
        self.fault(status=503, times=1000)
        statuses = {self.house.get(self.path).status for _ in range(8)}
        self.assertLessEqual(statuses, {502, 503})
        self.assert_clean()

    def test_redirect_to_another_origin(self) -> None:
        """A redirect is followed here, and no credentials go along."""
        self.use(TestHouse(credentials=Credentials("robot", "secret")))
        upstream = self.house.upstream
        upstream.challenge = 'Basic realm="x"'
        upstream.basic = "Basic cm9ib3Q6c2VjcmV0"
        there = f"http://cdn.other/v2/lib/x/blobs/{self.digest}"
        self.house.get("/v2/lib/x/tags/list")
        upstream.asked.clear()
        upstream.faults.append(
            Fault("/blobs/", status=307, headers={"Location": there})
        )
        self.house.get(self.path)
        hosts = [
            (a.headers["host"], "authorization" in a.headers) for a in upstream.asked
        ]
        self.assertEqual(hosts[:2], [("upstream.example", True), ("cdn.other", False)])

    def test_redirects_in_circles(self) -> None:
        """Redirects without end are a failure of the upstream."""
        self.fault(status=307, headers={"Location": self.path}, times=1000)
        self.assert_error(502, "UNAVAILABLE")

    def test_token_server_down(self) -> None:
        """A token service that fails is a failure of the upstream."""
        upstream = self.house.upstream
        upstream.token = "t"
        upstream.challenge = REALM.format(host="upstream.example")
        upstream.faults.append(Fault("/token", status=500, times=1000))
        self.assert_error(502, "UNAVAILABLE")

    def test_realm_on_a_foreign_host(self) -> None:
        """A token service elsewhere is not even asked."""
        upstream = self.house.upstream
        upstream.token = "t"
        upstream.challenge = REALM.format(host="evil.test")
        error = self.assert_error(502, "UNAVAILABLE")
        self.assertIn("not trusted", error["detail"]["reason"])
        self.assertEqual(
            {a.headers["host"] for a in upstream.asked}, {"upstream.example"}
        )
        self.assertEqual(upstream.count("GET", "/token"), 0)

    def ranges(self) -> list[str]:
        return [
            asked.headers["range"]
            for asked in self.house.upstream.asked
            if "range" in asked.headers
        ]
