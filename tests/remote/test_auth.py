"""Authentication to an upstream, on the in-memory wire."""

from __future__ import annotations

import base64
import json

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from txregistry.remote.credentials import Credentials
from txregistry.testing.house import UPSTREAM, TestHouse
from txregistry.testing.upstream import FakeUpstream, Fault

PAIR = base64.b64encode(b"robot:s3cret").decode()


class TokenService(Resource):
    """A token service beside the upstream, on the same host."""

    isLeaf = True

    def __init__(self, upstream: FakeUpstream) -> None:
        super().__init__()
        self.upstream = upstream
        self.asked: list[tuple[str, dict[str, str], str]] = []
        self.answer: dict[str, object] = {"token": "t1", "expires_in": 300}
        self.refuse_get = 0

    def render(self, request):
        if not request.path.startswith(b"/token"):
            return self.upstream.render(request)
        fields = {
            name.decode(): b" ".join(value).decode()
            for name, value in request.args.items()
        }
        given = request.getHeader("Authorization") or ""
        self.asked.append((request.method.decode(), fields, given))
        if request.method == b"GET" and self.refuse_get:
            request.setResponseCode(self.refuse_get)
        return json.dumps(self.answer).encode()


class AuthCase(SynchronousTestCase):
    """An upstream that demands a token."""

    credentials: Credentials | None = None

    def setUp(self) -> None:
        self.house = TestHouse(credentials=self.credentials)
        self.upstream = self.house.upstream
        self.tokens = TokenService(self.upstream)
        site = Site(self.tokens, reactor=self.house.clock)
        self.house.upstream_wire._server = site
        self.upstream.token = "t1"
        self.upstream.challenge = (
            f'Bearer realm="{UPSTREAM}/token",service="reg",scope="repository:x/y:pull"'
        )
        self.digest = self.upstream.add_blob("lib/x", b"content")
        self.path = f"/v2/lib/x/blobs/{self.digest}"

    def status(self, path: str = "") -> int:
        return self.house.get(path or self.path).status


class BearerTests(AuthCase):
    """Tokens, anonymous and with credentials."""

    credentials = Credentials("robot", "s3cret")

    def test_token_is_fetched_with_credentials(self) -> None:
        """The service is asked by Basic for the repository that is read."""
        self.assertEqual(self.status(), 200)
        ((method, fields, given),) = self.tokens.asked
        self.assertEqual((method, given), ("GET", f"Basic {PAIR}"))
        self.assertEqual(fields["scope"], "repository:lib/x:pull")
        self.assertEqual((fields["service"], fields["account"]), ("reg", "robot"))

    def test_first_request_is_the_only_one_made_twice(self) -> None:
        """What the upstream demands is remembered, for each repository by itself."""
        self.status()
        for content in (b"y", b"z"):
            other = self.upstream.add_blob("lib/x", content)
            self.status(f"/v2/lib/x/blobs/{other}")
        refused = self.upstream.count("GET", "/blobs/") - 3
        self.assertEqual(refused, 1)

    def test_refused_token_is_renewed_once(self) -> None:
        """A token that is not accepted any more is replaced, the request repeated."""
        self.status()
        self.upstream.token = self.tokens.answer["token"] = "t2"
        digest = self.upstream.add_blob("lib/x", b"later")
        self.assertEqual(self.status(f"/v2/lib/x/blobs/{digest}"), 200)
        self.assertEqual(len(self.tokens.asked), 2)

    def test_token_that_is_never_accepted(self) -> None:
        """After one retry the upstream's 401 is the answer."""
        self.upstream.token = "something else"
        self.assertEqual(self.status(), 401)
        self.assertLessEqual(len(self.tokens.asked), 2)

    def test_preload(self) -> None:
        """Right after the start a first token is fetched, without a scope."""
        self.assertTrue(self.house.settle(self.house.client.preload()))
        ((_, fields, given),) = self.tokens.asked
        self.assertNotIn("scope", fields)
        self.assertEqual(given, f"Basic {PAIR}")


class AnonymousTests(AuthCase):
    """Tokens without credentials."""

    def test_anonymous_token(self) -> None:
        """Without credentials the service is asked bare."""
        self.assertEqual(self.status(), 200)
        ((_, fields, given),) = self.tokens.asked
        self.assertEqual(given, "")
        self.assertNotIn("account", fields)


class IdentityTests(AuthCase):
    """An identity token, as a credential helper may give."""

    credentials = Credentials(identity_token="refresh-me")

    def test_refresh_token(self) -> None:
        """It is exchanged by the OAuth2 form."""
        self.assertEqual(self.status(), 200)
        ((method, fields, _),) = [
            (method, fields, given) for method, fields, given in self.tokens.asked
        ]
        self.assertEqual(method, "POST")


class BasicTests(AuthCase):
    """An upstream that demands Basic."""

    credentials = Credentials("robot", "s3cret")

    def setUp(self) -> None:
        super().setUp()
        self.upstream.token = ""
        self.upstream.basic = f"Basic {PAIR}"
        self.upstream.challenge = 'Basic realm="registry"'

    def test_basic(self) -> None:
        """Credentials go with every request after the first."""
        self.assertEqual(self.status(), 200)
        self.assertEqual(self.upstream.count("GET", "/blobs/"), 2)
        digest = self.upstream.add_blob("lib/x", b"more")
        self.assertEqual(self.status(f"/v2/lib/x/blobs/{digest}"), 200)
        self.assertEqual(self.upstream.count("GET", "/blobs/"), 3)

    def test_wrong_basic(self) -> None:
        """Credentials that are refused are 401, after two requests."""
        self.upstream.basic = "Basic other"
        self.assertEqual(self.status(), 401)
        self.assertEqual(self.upstream.count("GET", "/blobs/"), 2)


class CircuitTests(SynchronousTestCase):
    """An upstream that fails again and again is left alone for a while."""

    def test_open_circuit_answers_at_once(self) -> None:
        """After five failures nobody waits and nothing is asked; then a probe heals."""
        house = TestHouse()
        digest = house.upstream.add_blob("a", b"x")
        house.upstream.faults.append(Fault("/v2/", times=10_000, status=500))
        for _ in range(5):
            self.assertEqual(house.get(f"/v2/a/blobs/{digest}").status, 502)
        asked = len(house.upstream.asked)
        got = house.get(f"/v2/a/blobs/{digest}")
        self.assertEqual(got.status, 503)
        self.assertIsNotNone(got.header("Retry-After"))
        self.assertEqual(len(house.upstream.asked), asked)
        house.upstream.faults.clear()
        house.clock.advance(6)
        self.assertEqual(house.get(f"/v2/a/blobs/{digest}").status, 200)
