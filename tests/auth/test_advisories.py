"""One test or more for each advisory against distribution, over the wire.

Each would have failed on the version that the advisory is about.
"""

from __future__ import annotations

import json
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.auth import keys
from tests.web.raw import Line
from txregistry.auth.maker import make_controller
from txregistry.flow.disk import InlineDisk
from txregistry.remote.credentials import Credentials
from txregistry.spec.gate import Gate
from txregistry.testing.answers import Got
from txregistry.testing.house import UPSTREAM, TestHouse
from txregistry.testing.upstream import Fault

NOW = 1_700_000_000
MIB = 1024 * 1024

OCI = "application/vnd.oci.image"
IMAGE, INDEX = f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


def digest_of(content: bytes) -> str:
    return "sha256:" + sha256(content).hexdigest()


def code(got: Got) -> tuple[int, str]:
    return got.status, json.loads(got.body)["errors"][0]["code"]


class RegistryCase(SynchronousTestCase):
    """A complete registry in memory."""

    def setUp(self) -> None:
        self.house = TestHouse()

    def push_blob(self, name: str, content: bytes) -> dict[str, Any]:
        digest = digest_of(content)
        path = f"/v2/{name}/blobs/uploads/?digest={digest}"
        self.assertEqual(self.house.send("POST", path, content).status, 201)
        kind = "application/octet-stream"
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def image(self, name: str, text: bytes = b"{}") -> dict[str, Any]:
        """Push what an image is made of and give its manifest."""
        config, layer = self.push_blob(name, text), self.push_blob(name, b"layer")
        config = {**config, "mediaType": f"{OCI}.config.v1+json"}
        return {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": config,
            "layers": [{**layer, "mediaType": f"{OCI}.layer.v1.tar"}],
        }

    def put(self, document: Any, kind: str, reference: str = "latest") -> Got:
        body = (
            document if isinstance(document, bytes) else json.dumps(document).encode()
        )
        path = f"/v2/a/b/manifests/{reference}"
        return self.house.send("PUT", path, body, Content_Type=kind)

    def status(self, method: str, path: str) -> int:
        return self.house.send(method, path).status


class ManifestBodyTests(RegistryCase):
    """CVE-2017-11468: a manifest of any length was read into memory."""

    def head(self, *headers: str) -> bytes:
        lines = ["PUT /v2/a/b/manifests/x HTTP/1.1", "Host: x", *headers]
        return "\r\n".join([*lines, f"Content-Type: {IMAGE}", "", ""]).encode()

    def assertTooLarge(self, line: Line) -> None:
        (answer,) = line.answers()
        self.assertEqual(answer.status, 413)
        self.assertIn("errors", json.loads(answer.body))

    def test_announced(self) -> None:
        """What is announced as too long is refused before any of it comes."""
        line = Line(self.house)
        line.send(self.head(f"Content-Length: {4 * MIB + 1}"))
        self.assertTooLarge(line)

    def test_announced_with_expect(self) -> None:
        """A client that waits to be told to send is never told to."""
        line = Line(self.house)
        length = f"Content-Length: {100 * MIB}"
        line.send(self.head(length, "Expect: 100-continue"))
        self.assertNotIn(b"100 Continue", line.received)
        self.assertTooLarge(line)

    def test_chunked(self) -> None:
        """What turns out to be too long is refused then, and the client cut off."""
        line = Line(self.house)
        line.send(self.head("Transfer-Encoding: chunked"))
        piece, sent = b"10000\r\n" + b" " * 65536 + b"\r\n", 0
        while not line.received and sent < 64 * MIB:
            line.send(piece)
            sent += 65536
        self.assertLessEqual(sent, 5 * MIB)
        self.assertTooLarge(line)

    def test_whole_chunked_body(self) -> None:
        """It is the same when all of a chunked body comes and then its end."""
        line = Line(self.house)
        line.send(self.head("Transfer-Encoding: chunked"))
        for _ in range(4 * MIB // 65536):
            line.send(b"10000\r\n" + b" " * 65536 + b"\r\n")
        line.send(b"1\r\n \r\n0\r\n\r\n")
        self.assertTooLarge(line)

    def test_largest(self) -> None:
        """Exactly four mebibytes are taken."""
        document = self.image("a/b")
        text = json.dumps({**document, "annotations": {"x": ""}})
        padding = 4 * MIB - len(text)
        text = json.dumps({**document, "annotations": {"x": "y" * padding}})
        self.assertEqual(len(text), 4 * MIB)
        self.assertEqual(self.put(text.encode(), IMAGE).status, 201)
        self.assertNotEqual(self.put(text.encode() + b" ", IMAGE).status, 201)


class TokenCase(SynchronousTestCase):
    """A registry that believes one certificate."""

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        self.key = keys.rsa_key()
        root = keys.identity("root", self.key, None, True)
        (directory / "bundle.pem").write_bytes(root.pem)
        clock = Clock()
        clock.advance(NOW)
        given = {
            "realm": "https://auth.example/token",
            "service": "registry",
            "issuer": "issuer",
            "rootcertbundle": str(directory / "bundle.pem"),
        }
        controller = make_controller("token", given, InlineDisk(), clock)
        self.house = TestHouse(controller=controller, clock=clock)

    def status(self, audience: Any = "registry", key: Any = None, **header: Any) -> int:
        claims = {"iss": "issuer", "aud": audience, "exp": NOW + 300}
        header = header or {"kid": keys.libtrust(self.key)}
        token = keys.sign(key or self.key, claims, **header)
        got = self.house.send("GET", "/v2/", Authorization=f"Bearer {token}")
        return got.status


class AudienceTests(TokenCase):
    """CVE-2020-26160: an audience that was a list was not compared."""

    def test_string(self) -> None:
        """An audience that is text is compared."""
        self.assertEqual(self.status("registry"), 200)
        self.assertEqual(self.status("another"), 401)

    def test_list(self) -> None:
        """An audience that is a list is compared as well."""
        self.assertEqual(self.status(["another", "registry"]), 200)
        for audience in (["another"], ["another", "more"], [""], [None]):
            self.assertEqual(self.status(audience), 401, audience)

    def test_empty(self) -> None:
        """No audience is nobody's, not everybody's."""
        for audience in ([], "", None, {}):
            self.assertEqual(self.status(audience), 401, audience)


class EmbeddedKeyTests(TokenCase):
    """CVE-2025-24976: a stranger's key was believed under the name of a trusted one."""

    def test_trusted_name_on_another_key(self) -> None:
        """A key that a token brings is compared by its material."""
        forger = keys.rsa_key(1)
        for name in (
            keys.libtrust(self.key),
            keys.thumbprint(keys.jwk(self.key)),
        ):
            forged = {**keys.jwk(forger), "kid": name}
            self.assertEqual(self.status(key=forger, jwk=forged), 401)
            self.assertEqual(self.status(key=forger, jwk=forged, kid=name), 401)

    def test_trusted_key(self) -> None:
        """The trusted key itself is believed, under any name."""
        given = {**keys.jwk(self.key), "kid": "whatever"}
        self.assertEqual(self.status(jwk=given), 200)

    def test_private_half(self) -> None:
        """The private half of a key is not looked at: whether its numbers fit one
        another can take hours to find out."""
        odd = {**keys.jwk(self.key), "d": keys.number(2**2047 + 12345)}
        self.assertEqual(self.status(jwk=odd), 200)
        self.assertEqual(self.status(jwk={**odd, "p": "AQ", "q": "AQ", "k": "AQ"}), 200)

    def test_public_key_as_secret(self) -> None:
        """No secret is made of a public key (the lesson: algorithms are pinned)."""
        name = keys.libtrust(self.key)
        for secret in (keys.public_pem(self.key), keys.spki(self.key)):
            self.assertEqual(self.status(key=secret, alg="HS256", kid=name), 401)


class TypeConfusionTests(RegistryCase):
    """CVE-2021-41190: one document was an image to some and an index to others."""

    def setUp(self) -> None:
        super().setUp()
        self.document = self.image("a/b")
        child = self.put(self.document, IMAGE, "child")
        self.assertEqual(child.status, 201)
        self.child = {
            "mediaType": IMAGE,
            "digest": child.header("Docker-Content-Digest"),
            "size": len(json.dumps(self.document)),
        }
        self.index = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [self.child],
        }

    def assertRefused(self, document: Any, kind: str) -> None:
        got = self.put(document, kind, "confused")
        self.assertEqual(code(got), (400, "MANIFEST_INVALID"), (document, kind))
        self.assertEqual(self.status("GET", "/v2/a/b/manifests/confused"), 404)

    def test_both_at_once(self) -> None:
        """A document with layers and with manifests is neither."""
        for extra in ("config", "layers"):
            self.assertRefused({**self.index, extra: self.document[extra]}, INDEX)
        self.assertRefused({**self.document, "manifests": [self.child]}, IMAGE)
        self.assertRefused({**self.document, "manifests": []}, IMAGE)

    def test_both_without_a_type(self) -> None:
        """It is the same if the document does not say what it is."""
        both = {**self.index, **self.document}
        del both["mediaType"]
        for kind in (IMAGE, INDEX):
            self.assertRefused(both, kind)

    def test_types_that_differ(self) -> None:
        """What the header says and what the document says has to agree."""
        for inner in (INDEX, DOCKER_IMAGE, DOCKER_LIST, "text/plain"):
            self.assertRefused({**self.document, "mediaType": inner}, IMAGE)
        for inner in (IMAGE, DOCKER_LIST):
            self.assertRefused({**self.index, "mediaType": inner}, INDEX)

    def test_one_of_each(self) -> None:
        """An image is an image and an index an index."""
        self.assertEqual(self.put(self.document, IMAGE).status, 201)
        self.assertEqual(self.put(self.index, INDEX).status, 201)

    def test_keys_said_twice(self) -> None:
        """Nor may a document say two things under one name."""
        text = json.dumps(self.document)
        twice = text[:-1] + f', "mediaType": "{INDEX}"}}'
        self.assertRefused(twice.encode(), IMAGE)


class PaginationTests(RegistryCase):
    """CVE-2023-2253: room was made for as many entries as a client named."""

    def setUp(self) -> None:
        super().setUp()
        document = self.image("a/b")
        for number in range(3):
            self.put(document, IMAGE, f"tag{number}")
            self.push_blob(f"repo{number}", b"x")

    def test_catalogue(self) -> None:
        """Of the catalogue, it is clamped to that, and a link leads to the rest."""
        self.house.serve_registry(max_repositories=2)
        for n in (3, 100_000, 10**9, 10**17):
            got = self.house.send("GET", f"/v2/_catalog?n={n}")
            self.assertEqual(json.loads(got.body)["repositories"], ["a/b", "repo0"])
            link = got.header("Link")
            self.assertEqual(link, '</v2/_catalog?last=repo0&n=2>; rel="next"')
        rest = self.house.send("GET", link.partition(">")[0][1:])
        self.assertEqual(json.loads(rest.body)["repositories"], ["repo1", "repo2"])
        self.assertIsNone(rest.header("Link"))

    def test_absurd_catalogue(self) -> None:
        """A number that no machine has is refused, and never tried."""
        for n in (10**18, 10**30, "9" * 5000):
            got = self.house.send("GET", f"/v2/_catalog?n={n}")
            self.assertEqual(code(got), (400, "PAGINATION_NUMBER_INVALID"), str(n)[:9])

    def test_strict_catalogue(self) -> None:
        """Where ``catalog.strict`` says so, more than the most is refused."""
        self.house.serve_registry(strict_catalog=True)
        for n in (1001, 10**9, 10**18, 10**30, "9" * 5000):
            got = self.house.send("GET", f"/v2/_catalog?n={n}")
            self.assertEqual(code(got), (400, "PAGINATION_NUMBER_INVALID"), str(n)[:9])
        self.assertEqual(self.house.send("GET", "/v2/_catalog?n=1000").status, 200)

    def test_tags(self) -> None:
        """Of tags, it is clamped to that."""
        self.house.serve_registry(max_tags=2)
        for n in (3, 10**9, 10**17):
            got = self.house.send("GET", f"/v2/a/b/tags/list?n={n}")
            self.assertEqual(json.loads(got.body)["tags"], ["tag0", "tag1"])
            self.assertIn("n=2", got.header("Link"))

    def test_absurd_tags(self) -> None:
        """A number that no machine has is clamped or refused, and never tried."""
        for n in (10**18, 10**30, "9" * 5000):
            got = self.house.send("GET", f"/v2/a/b/tags/list?n={n}")
            self.assertIn(got.status, (200, 400))
            if got.status == 400:
                self.assertEqual(code(got)[1], "PAGINATION_NUMBER_INVALID")

    def test_no_number(self) -> None:
        """What is no number from nought up is refused in both lists."""
        for n in ("-1", "x", "1.5", "0x10", "1e3", "+1", "%20", "%C2%B2"):
            for path in ("/v2/_catalog", "/v2/a/b/tags/list"):
                got = self.house.send("GET", f"{path}?n={n}")
                self.assertEqual(
                    code(got), (400, "PAGINATION_NUMBER_INVALID"), (path, n)
                )


class RealmTests(SynchronousTestCase):
    """CVE-2026-33540: credentials went to whatever token service was named."""

    def setUp(self) -> None:
        self.house = TestHouse(credentials=Credentials("robot", "s3cret"))
        self.upstream = self.house.upstream
        self.upstream.token = "t1"
        self.digest = self.upstream.add_blob("lib/x", b"content")

    def get(self) -> Got:
        return self.house.get(f"/v2/lib/x/blobs/{self.digest}")

    def given(self) -> list[str]:
        """Give every Authorization that anybody was sent."""
        return [
            asked.headers["authorization"]
            for asked in self.upstream.asked
            if "authorization" in asked.headers
        ]

    def test_foreign_realm(self) -> None:
        """A token service elsewhere gets nothing, not even a visit."""
        for realm in (
            "http://evil.example/token",
            "http://upstream.example.evil.example/token",
            "http://upstream.example@evil.example/token",
            "http://127.0.0.1:5001/token",
            "http://169.254.169.254/latest/meta-data",
            "//evil.example/token",
            "file:///etc/passwd",
        ):
            self.upstream.asked.clear()
            self.upstream.challenge = f'Bearer realm="{realm}",service="s"'
            self.assertGreaterEqual(self.get().status, 500, realm)
            self.assertEqual(self.given(), [], realm)
            paths = {asked.path for asked in self.upstream.asked}
            self.assertTrue(all(path.startswith("/v2/") for path in paths), paths)

    def test_redirect_elsewhere(self) -> None:
        """A redirect to another host is followed without credentials."""
        self.upstream.token = ""
        self.upstream.basic = "Basic cm9ib3Q6czNjcmV0"
        self.upstream.challenge = 'Basic realm="x"'
        self.get()
        self.assertEqual(self.given(), [self.upstream.basic] * len(self.given()))
        later = self.upstream.add_blob("lib/x", b"later")
        self.upstream.asked.clear()
        self.upstream.faults.append(
            Fault(
                f"/v2/lib/x/blobs/{later}",
                status=307,
                headers={"Location": f"http://other.example/v2/lib/y/blobs/{later}"},
            )
        )
        self.house.get(f"/v2/lib/x/blobs/{later}")
        elsewhere = [a for a in self.upstream.asked if "/lib/y/" in a.path]
        self.assertTrue(elsewhere)
        for asked in elsewhere:
            self.assertNotIn("authorization", asked.headers)

    def test_own_realm(self) -> None:
        """A token service of the upstream itself is asked with credentials."""
        self.upstream.challenge = f'Bearer realm="{UPSTREAM}/token",service="s"'
        self.get()
        asked = [a for a in self.upstream.asked if a.path.startswith("/token")]
        self.assertTrue(asked)
        self.assertTrue(asked[0].headers["authorization"].startswith("Basic "))


class MembershipTests(RegistryCase):
    """CVE-2026-35172: what a repository had deleted came back by way of the cache."""

    def setUp(self) -> None:
        super().setUp()
        self.content = b"secret content"
        self.path = f"blobs/{digest_of(self.content)}"

    def test_other_repository_fills_the_cache(self) -> None:
        """After a delete, use of the same content elsewhere grants nothing here."""
        for name in ("a/a", "b/b"):
            self.push_blob(name, self.content)
            self.assertEqual(self.status("GET", f"/v2/{name}/{self.path}"), 200)
        self.assertEqual(self.status("DELETE", f"/v2/a/a/{self.path}"), 202)
        for method in ("GET", "HEAD"):
            self.assertEqual(self.status(method, f"/v2/b/b/{self.path}"), 200)
            self.assertEqual(self.status(method, f"/v2/a/a/{self.path}"), 404)

    def test_push_elsewhere(self) -> None:
        """After a delete, a push of the same content elsewhere grants nothing here."""
        self.push_blob("a/a", self.content)
        self.status("GET", f"/v2/a/a/{self.path}")
        self.assertEqual(self.status("DELETE", f"/v2/a/a/{self.path}"), 202)
        self.push_blob("b/b", self.content)
        self.assertEqual(self.status("GET", f"/v2/b/b/{self.path}"), 200)
        for method in ("GET", "HEAD"):
            self.assertEqual(self.status(method, f"/v2/a/a/{self.path}"), 404)

    def test_alias(self) -> None:
        """A blob that is known by two digests is not left behind under one."""
        alias = "sha512:" + sha512(self.content).hexdigest()
        path = f"/v2/a/a/blobs/uploads/?digest={alias}"
        self.assertEqual(self.house.send("POST", path, self.content).status, 201)
        for known in (alias, digest_of(self.content)):
            self.status("GET", f"/v2/a/a/blobs/{known}")
        self.push_blob("b/b", self.content)
        self.assertEqual(self.status("DELETE", f"/v2/a/a/{self.path}"), 202)
        self.assertEqual(self.status("GET", f"/v2/a/a/{self.path}"), 404)

    def test_never_a_member(self) -> None:
        """A repository that never had the blob does not get it by asking."""
        self.push_blob("a/a", self.content)
        self.status("GET", f"/v2/a/a/{self.path}")
        self.assertEqual(self.status("GET", f"/v2/b/b/{self.path}"), 404)

    def test_manifests(self) -> None:
        """It is the same for manifests."""
        got = self.put(self.image("a/b"), IMAGE)
        digest = got.header("Docker-Content-Digest")
        body = self.house.send("GET", f"/v2/a/b/manifests/{digest}").body
        self.image("c/d")
        path = f"/v2/c/d/manifests/{digest}"
        self.house.send("PUT", path, body, Content_Type=IMAGE)
        self.assertEqual(self.status("DELETE", f"/v2/a/b/manifests/{digest}"), 202)
        self.assertEqual(self.status("GET", path), 200)
        self.assertEqual(self.status("GET", f"/v2/a/b/manifests/{digest}"), 404)


class DeleteTests(RegistryCase):
    """CVE-2026-41888: a tag was deleted although deletes were disabled."""

    def setUp(self) -> None:
        super().setUp()
        self.document = self.image("a/b")
        got = self.put(self.document, IMAGE)
        self.digest = got.header("Docker-Content-Digest")
        self.layer = self.document["layers"][0]["digest"]

    def assertGuarded(self, *paths: str) -> None:
        for path in paths:
            got = self.house.send("DELETE", path)
            self.assertEqual(code(got), (405, "UNSUPPORTED"), path)
        for path in ("manifests/latest", f"manifests/{self.digest}"):
            self.assertEqual(self.status("GET", f"/v2/a/b/{path}"), 200)
        self.assertEqual(self.status("GET", f"/v2/a/b/blobs/{self.layer}"), 200)

    @property
    def paths(self) -> list[str]:
        return [
            "/v2/a/b/manifests/latest",
            f"/v2/a/b/manifests/{self.digest}",
            f"/v2/a/b/blobs/{self.layer}",
            "/v2/a/b/manifests/unknown",
            "/v2/x/y/manifests/latest",
        ]

    def test_disabled(self) -> None:
        """Unless deletes are enabled, nothing that was pushed can be deleted."""
        self.house.serve_registry(gate=Gate(deletes=False))
        self.assertGuarded(*self.paths)

    def test_read_only(self) -> None:
        """In maintenance nothing can, enabled or not; nor can anything be pushed."""
        location = self.house.send("POST", "/v2/a/b/blobs/uploads/").header("Location")
        self.house.serve_registry(gate=Gate(read_only=True, deletes=True))
        self.assertGuarded(*self.paths, location)
        for method, path in (
            ("PUT", "/v2/a/b/manifests/latest"),
            ("POST", "/v2/a/b/blobs/uploads/"),
            ("PATCH", location),
            ("PUT", f"{location}&digest={self.layer}"),
        ):
            got = self.house.send(method, path, b"x")
            self.assertEqual(code(got), (405, "UNSUPPORTED"), (method, path))

    def test_enabled(self) -> None:
        """Where they are enabled, the tag goes and its manifest stays."""
        self.assertEqual(self.status("DELETE", "/v2/a/b/manifests/latest"), 202)
        self.assertEqual(self.status("GET", "/v2/a/b/manifests/latest"), 404)
        self.assertEqual(self.status("GET", f"/v2/a/b/manifests/{self.digest}"), 200)

    def test_cancelling_an_upload(self) -> None:
        """An upload can be thrown away also where deletes are disabled."""
        self.house.serve_registry(gate=Gate(deletes=False))
        location = self.house.send("POST", "/v2/a/b/blobs/uploads/").header("Location")
        self.assertEqual(self.status("DELETE", location), 204)
