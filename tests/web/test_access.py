"""Who may do what, over the wire: asked for by every route before its body is read."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs
import bcrypt
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.auth import keys
from tests.web.raw import Line
from txregistry.auth.challenges import bearer, unauthorized
from txregistry.auth.maker import make_controller
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.access import Grant, IAccessController, RequestFacts
from txregistry.spec.errors import Denied
from txregistry.spec.gate import Gate
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.web.http.body_request import MAX_DROPPED_BYTES
from txregistry.web.http.lingering_close import LINGER_BYTES, LINGER_SECONDS

NOW = 1_700_000_000
CONTENT = b"some content"
DIGEST = "sha256:" + sha256(CONTENT).hexdigest()
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

GIB = 1024 * 1024 * 1024


@implementer(IAccessController)
@attrs.define(eq=False)
class Asked:
    """Remembers what was wanted, and grants it unless told otherwise."""

    refuses: bool = False
    wanted: list[str] = attrs.field(factory=list)
    facts: list[RequestFacts] = attrs.field(factory=list)

    def authorize(self, facts: RequestFacts, wanted: Any) -> Deferred[Grant]:
        """Take a question."""
        self.facts.append(facts)
        self.wanted.append(
            " ".join(f"{item.kind}:{item.name}:{item.action}" for item in wanted)
        )
        if self.refuses:
            return fail(unauthorized(wanted, bearer("r", "s", wanted)))
        return succeed(Grant("ann"))


def code(got: Got) -> tuple[int, str]:
    return got.status, json.loads(got.body)["errors"][0]["code"]


class ScopeTests(SynchronousTestCase):
    """What each route asks for."""

    def setUp(self) -> None:
        self.asked = Asked()
        self.house = TestHouse(controller=self.asked)

    def wanted(self, method: str, path: str, body: bytes | None = None) -> list[str]:
        """Send a request and say what the controller was asked, once."""
        self.asked.wanted.clear()
        self.house.send(method, path, body)
        (wanted,) = self.asked.wanted
        return wanted.split()

    def test_base(self) -> None:
        """The base wants nothing in particular, but wants to know who it is."""
        self.assertEqual(self.wanted("GET", "/v2/"), [])
        self.assertEqual(self.wanted("HEAD", "/v2/"), [])

    def test_root_asks_nobody(self) -> None:
        """The root answers whoever it is: a load balancer has no password."""
        self.asked.refuses = True
        got = self.house.send("GET", "/")
        self.assertEqual((got.status, got.body), (200, b""))
        self.assertEqual(self.asked.wanted, [])

    def test_catalogue(self) -> None:
        """The catalogue wants everything on the catalogue."""
        self.assertEqual(self.wanted("GET", "/v2/_catalog"), ["registry:catalog:*"])
        found = self.wanted("GET", "/v2/_catalog?n=5&last=x&from=a/b")
        self.assertEqual(found, ["registry:catalog:*"])

    def test_reading(self) -> None:
        """Whatever reads a repository wants to pull from it."""
        for path in (
            "manifests/latest",
            f"manifests/{DIGEST}",
            f"blobs/{DIGEST}",
            f"referrers/{DIGEST}",
            "tags/list",
        ):
            for method in ("GET", "HEAD"):
                found = self.wanted(method, f"/v2/a/b/{path}")
                self.assertEqual(found, ["repository:a/b:pull"], (method, path))

    def test_writing(self) -> None:
        """Whatever writes wants to pull and to push."""
        both = ["repository:a/b:pull", "repository:a/b:push"]
        uploads = "/v2/a/b/blobs/uploads/"
        for method, path in (
            ("PUT", "/v2/a/b/manifests/latest"),
            ("PUT", f"/v2/a/b/manifests/{DIGEST}"),
            ("POST", uploads),
            ("POST", f"{uploads}?digest={DIGEST}"),
            ("PATCH", f"{uploads}x"),
            ("PUT", f"{uploads}x?digest={DIGEST}"),
        ):
            self.assertEqual(self.wanted(method, path, b"x"), both, (method, path))

    def test_deleting(self) -> None:
        """Deleting a manifest, a tag or a blob wants to delete, and no more."""
        for path in (f"manifests/{DIGEST}", "manifests/latest", f"blobs/{DIGEST}"):
            found = self.wanted("DELETE", f"/v2/a/b/{path}")
            self.assertEqual(found, ["repository:a/b:delete"], path)

    def test_cancelling_an_upload(self) -> None:
        """Throwing one's own upload away is a part of pushing, not of deleting."""
        found = self.wanted("DELETE", "/v2/a/b/blobs/uploads/x")
        self.assertIn("repository:a/b:push", found)
        self.assertNotIn("repository:a/b:delete", found)

    def test_upload_status(self) -> None:
        """Whoever may push may ask how far it has come, and needs no more for it."""
        for method in ("GET", "HEAD"):
            found = self.wanted(method, "/v2/a/b/blobs/uploads/x")
            self.assertIn("repository:a/b:pull", found)
            allowed = {"repository:a/b:pull", "repository:a/b:push"}
            self.assertLessEqual(set(found), allowed)

    def test_mount(self) -> None:
        """Mounting from a repository wants to pull from that as well."""
        path = f"/v2/a/b/blobs/uploads/?mount={DIGEST}&from=c/d"
        expected = [
            "repository:a/b:pull",
            "repository:a/b:push",
            "repository:c/d:pull",
        ]
        self.assertEqual(self.wanted("POST", path), expected)

    def test_mount_from_nowhere(self) -> None:
        """A source that is no name is asked about nobody, and mounts nothing."""
        path = f"/v2/a/b/blobs/uploads/?mount={DIGEST}&from=../C"
        expected = ["repository:a/b:pull", "repository:a/b:push"]
        self.assertEqual(self.wanted("POST", path), expected)
        self.assertEqual(self.house.send("POST", path).status, 202)

    def test_mount_source_said_twice(self) -> None:
        """The source that is asked about is the one that is mounted from."""
        self.house.send("POST", f"/v2/secret/x/blobs/uploads/?digest={DIGEST}", CONTENT)
        for one, other in (("secret/x", "open/x"), ("open/x", "secret/x")):
            query = f"mount={DIGEST}&from={one}&from={other}"
            path = f"/v2/new/{one}/blobs/uploads/?{query}"
            self.asked.wanted.clear()
            mounted = self.house.send("POST", path).status == 201
            if mounted:
                self.assertIn("repository:secret/x:pull", self.asked.wanted[0])

    def test_ambiguous_names(self) -> None:
        """The repository that is asked about is the one that is answered from."""
        found = self.wanted("GET", "/v2/foo/bar/manifests/manifests/tags")
        self.assertEqual(found, ["repository:foo/bar/manifests:pull"])
        found = self.wanted("GET", "/v2/foo/bar/manifests/tags/list")
        self.assertEqual(found, ["repository:foo/bar/manifests:pull"])
        found = self.wanted("GET", "/v2/blobs/uploads/tags/list")
        self.assertEqual(found, ["repository:blobs/uploads:pull"])

    def test_encoded_names(self) -> None:
        """A slash that is written as %2F names the same repository to everybody."""
        self.house.send("POST", f"/v2/secret/x/blobs/uploads/?digest={DIGEST}", CONTENT)
        self.asked.wanted.clear()
        got = self.house.send("GET", f"/v2/secret%2Fx/blobs/{DIGEST}")
        if got.status == 200:
            self.assertEqual(self.asked.wanted, ["repository:secret/x:pull"])

    def test_what_is_no_route_asks_nobody(self) -> None:
        """A path or method that there is not is said so without asking who it is."""
        for method, path, status in (
            ("GET", "/v2/a/b", 404),
            ("PUT", "/v2/_catalog", 405),
            ("POST", f"/v2/a/b/blobs/{DIGEST}", 405),
        ):
            self.assertEqual(self.house.send(method, path).status, status)
        self.assertEqual(self.asked.wanted, [])

    def test_facts(self) -> None:
        """The controller learns of the header, the host, and what a proxy says."""
        self.house.send(
            "GET",
            "/v2/",
            Authorization="Bearer x",
            X_Forwarded_Proto="https",
            X_Forwarded_Host="outside.example",
        )
        (facts,) = self.asked.facts
        self.assertEqual(facts.authorization, "Bearer x")
        self.assertEqual(facts.host, "outside.example")
        self.assertEqual((facts.scheme, facts.forwarded_scheme), ("https", "https"))

    def test_no_proxy(self) -> None:
        """Without a proxy the host is what the client calls us."""
        self.house.send("GET", "/v2/")
        (facts,) = self.asked.facts
        self.assertEqual((facts.host, facts.forwarded_scheme), ("registry.example", ""))

    def test_who_it_was(self) -> None:
        """Who asked is in the record of the request."""
        self.house.send("GET", "/v2/")
        self.assertEqual(self.house.recorder.exchanges[-1].user, "ann")


class OrderTests(SynchronousTestCase):
    """What is decided first."""

    def test_access_before_what_is_permitted(self) -> None:
        """Whoever may not ask does not learn what the configuration permits."""
        house = TestHouse(controller=Asked(refuses=True))
        house.serve_registry(gate=Gate(read_only=True))
        got = house.send("DELETE", "/v2/a/b/manifests/latest")
        self.assertEqual(code(got), (401, "UNAUTHORIZED"))
        house.serve_registry(gate=Gate())
        got = house.send("PUT", "/v2/a/b/manifests/latest", b"{}")
        self.assertEqual(code(got), (401, "UNAUTHORIZED"))

    def test_access_before_what_there_is(self) -> None:
        """Whoever may not pull cannot tell what is there from what is not."""
        asked = Asked()
        house = TestHouse(controller=asked)
        house.send("POST", f"/v2/a/b/blobs/uploads/?digest={DIGEST}", CONTENT)
        asked.refuses = True
        there = house.send("GET", f"/v2/a/b/blobs/{DIGEST}")
        missing = house.send("GET", f"/v2/a/b/blobs/{DIGEST[:-1]}0")
        self.assertEqual(there.body, missing.body)
        self.assertEqual((there.status, missing.status), (401, 401))
        self.assertNotIn(CONTENT, there.body)

    def test_denied(self) -> None:
        """A controller may deny without a way to mend it: 403, and no challenge."""

        @implementer(IAccessController)
        class No:
            def authorize(self, facts: RequestFacts, wanted: Any) -> Deferred[Grant]:
                return fail(Denied())

        house = TestHouse(controller=No())
        got = house.send("GET", "/v2/a/b/tags/list")
        self.assertEqual(code(got), (403, "DENIED"))
        self.assertIsNone(got.header("WWW-Authenticate"))

    def test_cache(self) -> None:
        """A pull-through cache asks as well, before its upstream is asked."""
        house = TestHouse(controller=Asked(refuses=True))
        digest = house.upstream.add_blob("lib/x", b"content")
        got = house.get(f"/v2/lib/x/blobs/{digest}")
        self.assertEqual(code(got), (401, "UNAUTHORIZED"))
        self.assertEqual(house.upstream.asked, [])

    def test_refusal(self) -> None:
        """A refusal has the challenge, the version header and OCI JSON."""
        house = TestHouse(controller=Asked(refuses=True))
        got = house.send("GET", "/v2/a/b/tags/list")
        self.assertEqual(
            got.header("WWW-Authenticate"),
            'Bearer realm="r",service="s",scope="repository:a/b:pull"',
        )
        self.assertEqual(got.header("Docker-Distribution-Api-Version"), "registry/2.0")
        self.assertEqual(got.header("Content-Type"), "application/json")
        (error,) = json.loads(got.body)["errors"]
        self.assertEqual(
            error["detail"],
            [{"Type": "repository", "Class": "", "Name": "a/b", "Action": "pull"}],
        )

    def test_refused_head(self) -> None:
        """A refused HEAD has the challenge and no body."""
        house = TestHouse(controller=Asked(refuses=True))
        got = house.send("HEAD", "/v2/a/b/manifests/latest")
        self.assertEqual((got.status, got.body), (401, b""))
        self.assertIn("Bearer ", got.header("WWW-Authenticate"))


class BodyTests(SynchronousTestCase):
    """Nobody's body is read before it is known who they are."""

    def setUp(self) -> None:
        self.house = TestHouse(controller=Asked(refuses=True))
        self.line = Line(self.house)

    def head(self, method: str, path: str, *headers: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: registry.example", *headers]
        return "\r\n".join([*lines, "", ""]).encode()

    def assertRefused(self) -> None:
        (answer,) = self.line.answers()
        self.assertEqual((answer.status, answer.code), (401, "UNAUTHORIZED"))

    def test_no_100_continue(self) -> None:
        """A client that waits to be told to send is refused instead."""
        for method, path in (
            ("PUT", "/v2/a/b/manifests/latest"),
            ("PATCH", "/v2/a/b/blobs/uploads/x"),
            ("POST", f"/v2/a/b/blobs/uploads/?digest={DIGEST}"),
        ):
            self.line = Line(self.house)
            head = self.head(
                method, path, "Expect: 100-continue", "Content-Length: 1000"
            )
            self.line.send(head)
            self.assertNotIn(b"100 ", self.line.received.partition(b"\r\n")[0])
            self.assertRefused()

    def test_no_100_continue_for_a_body_of_unknown_length(self) -> None:
        """It is the same for a body that comes in chunks."""
        path = "/v2/a/b/blobs/uploads/x"
        chunked = "Transfer-Encoding: chunked"
        self.line.send(self.head("PATCH", path, "Expect: 100-continue", chunked))
        self.assertFalse(self.line.received.startswith(b"HTTP/1.1 100"))
        self.assertRefused()

    def test_answer_before_a_huge_body(self) -> None:
        """A gibibyte that is announced is refused before any of it is sent."""
        path = "/v2/a/b/blobs/uploads/x"
        self.line.send(self.head("PATCH", path, f"Content-Length: {GIB}"))
        self.assertRefused()

    def test_announced_close(self) -> None:
        """A connection that will not be used again is said to close (RFC 9112, 9.6)."""
        path = "/v2/a/b/blobs/uploads/x"
        waits = ("Expect: 100-continue", "Content-Length: 1000")
        for headers in ((f"Content-Length: {GIB}",), waits):
            self.line = Line(self.house)
            self.line.send(self.head("PATCH", path, *headers))
            (answer,) = self.line.answers()
            self.assertEqual(answer.headers.get("connection"), "close", headers)

    def test_huge_body_is_not_read(self) -> None:
        """A client that sends it all the same may find the answer, and is cut off."""
        path = "/v2/a/b/blobs/uploads/x"
        self.line.send(self.head("PATCH", path, f"Content-Length: {GIB}"))
        sent = 0
        while not self.line.closed and sent < 2 * LINGER_BYTES:
            sent += 64 * 1024
            self.line.send(bytes(64 * 1024))
        self.assertTrue(self.line.closed)
        self.assertLessEqual(sent, LINGER_BYTES + 2 * 1024 * 1024)
        self.assertEqual(self.house.registry.active, set())

    def test_body_that_ends_as_it_is_given_up(self) -> None:
        """A body whose end comes with the byte too many is no trouble."""
        size = MAX_DROPPED_BYTES + 10
        path = "/v2/a/b/blobs/uploads/x"
        self.line.send(self.head("PATCH", path, f"Content-Length: {size}"))
        for start in range(0, size, 65536):
            self.line.send(bytes(min(65536, size - start)))
        self.assertRefused()
        self.assertEqual(self.house.registry.active, set())
        self.line.wait(LINGER_SECONDS + 1)
        self.assertTrue(self.line.closed)

    def test_huge_body_that_never_comes(self) -> None:
        """A client that neither sends nor goes away is let go in time."""
        path = "/v2/a/b/blobs/uploads/x"
        self.line.send(self.head("PATCH", path, f"Content-Length: {GIB}"))
        self.line.wait(120)
        self.assertTrue(self.line.closed)
        self.assertEqual(self.house.registry.active, set())
        self.assertEqual(self.house.registry.channels, set())

    def test_small_body_keeps_the_connection(self) -> None:
        """A small body is passed over, and the next request is answered."""
        head = self.head("PUT", "/v2/a/b/manifests/latest", "Content-Length: 5")
        self.line.send(head + b"hello" + self.head("GET", "/"))
        first, second = self.line.answers()
        self.assertEqual((first.status, second.status), (401, 200))

    def test_refused_body_is_no_request(self) -> None:
        """What a refused client sends as a body never passes for a request."""
        inner = self.head("GET", "/")
        head = self.head(
            "PUT", "/v2/a/b/manifests/latest", f"Content-Length: {len(inner)}"
        )
        self.line.send(head)
        self.line.send(inner)
        self.assertEqual(len(self.line.answers()), 1)

    def test_accepted_is_told_to_send(self) -> None:
        """Whoever may push is told to go on, once, and then answered."""
        self.house = TestHouse(controller=Asked())
        self.line = Line(self.house)
        length = f"Content-Length: {len(CONTENT)}"
        path = f"/v2/a/b/blobs/uploads/?digest={DIGEST}"
        self.line.send(self.head("POST", path, "Expect: 100-continue", length))
        self.assertEqual(self.line.received, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.line.send(CONTENT)
        for _ in range(20):
            self.house.clock.advance(0.1)
            self.house.pump()
        (answer,) = self.line.answers()
        self.assertEqual(answer.status, 201)
        self.assertEqual(self.line.received.count(b"100 Continue"), 1)


class TokenTests(SynchronousTestCase):
    """Real tokens on real routes."""

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        bundle = directory / "bundle.pem"
        root = keys.identity("root", keys.ec_key(), None, True)
        bundle.write_bytes(root.pem)
        clock = Clock()
        clock.advance(NOW)
        given = {
            "realm": "https://auth.example/token",
            "service": "registry",
            "issuer": "issuer",
            "rootcertbundle": str(bundle),
        }
        controller = make_controller("token", given, InlineDisk(), clock)
        self.house = TestHouse(controller=controller, clock=clock)

    def token(self, *scopes: str) -> str:
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            entry = {"type": kind, "name": name, "actions": actions.split(",")}
            access.append(entry)
        now = self.house.clock.seconds()
        claims = {
            "iss": "issuer",
            "aud": "registry",
            "sub": "ann",
            "exp": now + 300,
            "access": access,
        }
        key = keys.ec_key()
        return "Bearer " + keys.sign(key, claims, kid=keys.libtrust(key))

    def push(self, name: str, content: bytes = CONTENT) -> None:
        digest = "sha256:" + sha256(content).hexdigest()
        got = self.house.send(
            "POST",
            f"/v2/{name}/blobs/uploads/?digest={digest}",
            content,
            Authorization=self.token(f"repository:{name}:pull,push"),
        )
        self.assertEqual(got.status, 201, got.body)

    def mount(self, query: str, *scopes: str) -> Got:
        return self.house.send(
            "POST",
            f"/v2/new/repo/blobs/uploads/?mount={DIGEST}{query}",
            Authorization=self.token("repository:new/repo:pull,push", *scopes),
        )

    def blob(self, name: str, *scopes: str) -> Got:
        token = self.token(*(scopes or (f"repository:{name}:pull",)))
        return self.house.send("GET", f"/v2/{name}/blobs/{DIGEST}", Authorization=token)

    def test_base(self) -> None:
        """The base takes any genuine token, also one that allows nothing."""
        self.assertEqual(self.house.send("GET", "/v2/").status, 401)
        got = self.house.send("GET", "/v2/", Authorization=self.token())
        self.assertEqual((got.status, got.body), (200, b"{}"))

    def test_pull(self) -> None:
        """A token for a repository opens that one."""
        self.push("a/b")
        self.assertEqual(self.blob("a/b").body, CONTENT)
        got = self.blob("a/b", "repository:c/d:pull")
        self.assertIn('error="insufficient_scope"', got.header("WWW-Authenticate"))
        self.assertEqual(got.status, 401)

    def test_pull_alone_does_not_push(self) -> None:
        """A token to pull does not let anybody push or delete."""
        self.push("a/b")
        token = self.token("repository:a/b:pull")
        path = f"/v2/a/b/blobs/uploads/?digest={DIGEST}"
        got = self.house.send("POST", path, CONTENT, Authorization=token)
        self.assertEqual(got.status, 401)
        path = f"/v2/a/b/blobs/{DIGEST}"
        for scope in ("pull", "pull,push"):
            token = self.token(f"repository:a/b:{scope}")
            got = self.house.send("DELETE", path, Authorization=token)
            self.assertEqual(got.status, 401)
        token = self.token("repository:a/b:delete")
        self.assertEqual(
            self.house.send("DELETE", path, Authorization=token).status, 202
        )

    def test_push_needs_pull_too(self) -> None:
        """Pushing asks for both, as clients are told in the challenge."""
        got = self.house.send(
            "POST",
            "/v2/a/b/blobs/uploads/",
            Authorization=self.token("repository:a/b:push"),
        )
        self.assertIn(
            'scope="repository:a/b:pull,push"', got.header("WWW-Authenticate")
        )

    def test_catalogue(self) -> None:
        """The catalogue opens to a token for it."""
        got = self.house.send("GET", "/v2/_catalog", Authorization=self.token())
        self.assertEqual(got.status, 401)
        token = self.token("registry:catalog:*")
        got = self.house.send("GET", "/v2/_catalog", Authorization=token)
        self.assertEqual(got.status, 200)

    def test_mount(self) -> None:
        """A blob is mounted from where the token may pull."""
        self.push("secret/x")
        got = self.mount("&from=secret/x", "repository:secret/x:pull")
        self.assertEqual(got.status, 201)
        self.assertEqual(self.blob("new/repo").body, CONTENT)

    def test_mount_without_leave(self) -> None:
        """From where it may not, nothing is mounted: the client learns the scope."""
        self.push("secret/x")
        got = self.mount("&from=secret/x")
        self.assertEqual(code(got), (401, "UNAUTHORIZED"))
        self.assertIn(
            'scope="repository:new/repo:pull,push repository:secret/x:pull"',
            got.header("WWW-Authenticate"),
        )
        self.assertEqual(self.blob("new/repo").status, 404)

    def test_mount_from_anywhere(self) -> None:
        """Without a source a blob is found where the token may pull."""
        self.push("open/x")
        got = self.mount("", "repository:open/x:pull")
        self.assertEqual(got.status, 201)
        self.assertEqual(self.blob("new/repo").body, CONTENT)

    def test_mount_from_anywhere_by_star(self) -> None:
        """Everything on a repository includes pulling from it."""
        self.push("open/x")
        got = self.mount("", "repository:open/x:*")
        self.assertEqual(got.status, 201)

    def test_mount_from_nowhere_else(self) -> None:
        """What the token may not pull is not found: the client has to upload."""
        self.push("secret/x")
        for scopes in (
            (),
            ("repository:secret/x:push",),
            ("repository:secret/x:delete",),
            ("registry:secret/x:pull",),
            ("repository:secret/y:pull",),
        ):
            got = self.mount("", *scopes)
            self.assertEqual(got.status, 202, scopes)
            self.assertEqual(self.blob("new/repo").status, 404)

    def test_odd_names_in_a_token(self) -> None:
        """Names in a token that are none lead nowhere, and break nothing."""
        self.push("secret/x")
        for name in ("../secret/x", "*", "", "A/B", "secret/x/../x", "x\x00"):
            access = [{"type": "repository", "name": name, "actions": ["pull"]}]
            mine = {"type": "repository", "name": "new/repo"}
            access.append({**mine, "actions": ["pull", "push"]})
            claims = {"iss": "issuer", "aud": "registry", "exp": NOW + 3000}
            key = keys.ec_key()
            token = keys.sign(key, {**claims, "access": access}, kid=keys.libtrust(key))
            got = self.house.send(
                "POST",
                f"/v2/new/repo/blobs/uploads/?mount={DIGEST}",
                Authorization=f"Bearer {token}",
            )
            self.assertEqual(got.status, 202, name)

    def test_expired(self) -> None:
        """A token that has ended is refused as invalid."""
        token = self.token("repository:a/b:pull")
        path = "/v2/a/b/tags/list"
        got = self.house.send("GET", path, Authorization=token)
        self.assertEqual(got.status, 404)
        self.house.clock.advance(400)
        got = self.house.send("GET", path, Authorization=token)
        self.assertEqual(got.status, 401)
        self.assertIn('error="invalid_token"', got.header("WWW-Authenticate"))


class HtpasswdTests(SynchronousTestCase):
    """Names and passwords on real routes."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
        self.path.write_text(f"ann:{hashed}\n")
        given = {"realm": "reg", "path": str(self.path)}
        controller = make_controller("htpasswd", given, InlineDisk(), Clock())
        self.house = TestHouse(controller=controller)

    def get(self, pair: bytes) -> Got:
        header = "Basic " + base64.b64encode(pair).decode()
        return self.house.send("GET", "/v2/", Authorization=header)

    def test_right(self) -> None:
        """The right password opens the base."""
        self.assertEqual(self.get(b"ann:right").status, 200)

    def test_wrong(self) -> None:
        """A wrong one is told how to do better."""
        got = self.get(b"ann:wrong")
        self.assertEqual(code(got), (401, "UNAUTHORIZED"))
        self.assertEqual(got.header("WWW-Authenticate"), 'Basic realm="reg"')

    def test_file_is_gone(self) -> None:
        """Without its file the registry is out of order, not the client."""
        self.path.unlink()
        got = self.get(b"ann:right")
        self.assertEqual(code(got), (503, "UNAVAILABLE"))
        self.assertIsNone(got.header("WWW-Authenticate"))

    def test_bytes_that_are_no_text(self) -> None:
        """A header of bytes that are no UTF-8 is a wrong password, not our failure."""
        line = Line(self.house)
        line.send(
            b"GET /v2/ HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xfe\r\n\r\n"
        )
        (answer,) = line.answers()
        self.assertEqual((answer.status, answer.code), (401, "UNAUTHORIZED"))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_mount_from_anywhere(self) -> None:
        """Whoever may do everything may mount from everywhere."""
        header = "Basic " + base64.b64encode(b"ann:right").decode()
        path = f"/v2/one/blobs/uploads/?digest={DIGEST}"
        self.house.send("POST", path, CONTENT, Authorization=header)
        got = self.house.send(
            "POST", f"/v2/two/blobs/uploads/?mount={DIGEST}", Authorization=header
        )
        self.assertEqual(got.status, 201)

    def test_actor(self) -> None:
        """The name of the user is in the record of the request."""
        self.get(b"ann:right")
        self.assertEqual(self.house.recorder.exchanges[-1].user, "ann")
