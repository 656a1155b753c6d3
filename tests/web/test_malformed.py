"""Requests that are wrong in every way we could think of, by the thousand.

Each ends in a 4xx with an OCI error, or, where HTTP itself is broken, in a 400 or a
closed connection; never in a 5xx, a logged failure or silence.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.web.raw import Answer, Line
from txregistry.spec import mediatypes
from txregistry.testing.house import TestHouse

SEED = 2026
ZEROS = "sha256:" + "0" * 64
EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#: Longer than a client may be idle, or a head may take.
PATIENCE = 120.0

#: Values that are odd wherever text is expected.
ODD = (
    b"",
    b" ",
    b"\t",
    b"..",
    b"%",
    b"%zz",
    b"%00",
    b"%ff",
    b"%c3%28",
    b"%ed%a0%80",
    b"\x00",
    b"\x80",
    b"\xff\xfe",
    b"\xc3\xa4",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x90\x8b",
    b"'",
    b'"',
    b"\\",
    b"{}",
    b"null",
    b"nan",
    b"-1",
    b"1e9",
    b"0x10",
    b"\xd9\xa3",
    b"9" * 30,
    b"9" * 5000,
    b"a" * 20_000,
    b"A/../B",
    b"/",
    b"//",
    b"%2f",
    b"sha256:",
    b"sha256:" + b"0" * 63,
    b"sha256:" + b"G" * 64,
    b"SHA256:" + b"0" * 64,
    b"md5:" + b"0" * 32,
    b"sha512:" + b"0" * 64,
    b":",
    b"=",
    b"&",
    b";",
    b"a=b=c",
)

#: What a document of any family may have.
FIELDS = [
    *("config", "layers", "manifests", "digest", "size", "mediaType", "urls"),
    *("platform", "os", "annotations", "subject", "fsLayers", "history"),
    *("signatures", "protected", "schemaVersion", "artifactType"),
]

settle_down = settings(
    deadline=None,
    database=None,
    derandomize="CI" in os.environ,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


class MalformedCase(SynchronousTestCase):
    """A complete registry in memory, and a client that sends raw bytes.

    Tests of many requests note what goes wrong and go on; the end tells it all.
    """

    def setUp(self) -> None:
        self.house = TestHouse()
        self.problems: list[str] = []

    def tearDown(self) -> None:
        """Nothing went wrong, nothing was logged as a failure, nothing is left."""
        if self.problems:
            told = "\n".join(self.problems[:40])
            self.fail(f"{len(self.problems)} requests went wrong:\n{told}")
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.house.registry.active, set())
        self.assertEqual(self.house.registry_wire.open_connections, 0)
        self.assertEqual(self.house.timers(), [])
        self.assertEqual(len(self.house.local._sessions), 0)

    def exchange(self, sent: bytes) -> list[Answer]:
        """Send bytes, wait for the end, and check that it is a proper one."""
        line = Line(self.house)
        line.send(sent)
        if not line.received:
            line.wait(PATIENCE)
        self.assertTrue(line.received or line.closed, "silence")
        methods = [sent.lstrip(b"\r\n").partition(b" ")[0].decode("latin-1")]
        answers = line.answers(*methods)
        line.hang_up()
        for answer in answers:
            self.assertLess(answer.status, 500, answer)
        logged = self.flushLoggedErrors()
        self.assertEqual([repr(failure.value) for failure in logged], [])
        return answers

    def survey(self, sent: bytes, check: Callable[[bytes], object]) -> None:
        """Check a request; note what went wrong, and go on with a fresh process."""
        try:
            check(sent)
        except Exception as error:
            logged = [failure.getErrorMessage() for failure in self.flushLoggedErrors()]
            text = f"{type(error).__name__}: {error}"[:300]
            self.problems.append(f"{sent[:700]!r}: {text} {logged or ''}")
            old = self.house
            for call in list(old.clock.getDelayedCalls()):
                call.cancel()
            self.house = TestHouse(driver=old.driver, clock=old.clock)

    def refused(self, sent: bytes, statuses: Iterable[int] = range(400, 500)) -> None:
        """Send a request whose HTTP is in order: it gets one OCI error."""
        self.survey(sent, lambda sent: self.check_refused(sent, statuses))

    def answered(self, sent: bytes) -> None:
        """Send a request that may be right or wrong: it gets one answer."""
        self.survey(sent, self.check_answered)

    def check_refused(self, sent: bytes, statuses: Iterable[int]) -> None:
        (answer,) = self.exchange(sent)
        self.assertIn(answer.status, statuses, answer)
        self.check_error(sent, answer)

    def check_answered(self, sent: bytes) -> None:
        (answer,) = self.exchange(sent)
        if answer.status >= 400:
            self.check_error(sent, answer)

    def check_error(self, sent: bytes, answer: Answer) -> None:
        if sent.startswith(b"HEAD "):
            return
        self.assertEqual(answer.headers.get("content-type"), "application/json", sent)
        errors = json.loads(answer.body)["errors"]
        self.assertTrue(errors, (sent, answer))
        for error in errors:
            self.assertRegex(error["code"], r"\A[A-Z_]+\Z")
            self.assertNotEqual(error["code"], "UNKNOWN")
            self.assertIsInstance(error["message"], str)


def head(method: bytes, path: bytes, *lines: bytes, body: bytes | None = None) -> bytes:
    """Give a request whose lines are in order, whatever stands on them."""
    given = [b"%b %b HTTP/1.1" % (method, path), b"Host: registry.example", *lines]
    if body is not None:
        given.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(given) + b"\r\n\r\n" + (body or b"")


def fits_a_target(text: bytes) -> bool:
    """Tell whether bytes can stand in a request line (RFC 9112, 3)."""
    return bool(text) and all(0x20 < byte < 0x7F for byte in text)


class BrokenHttpTests(MalformedCase):
    """What is no HTTP, or is framed so that two readers would not agree."""

    def broken(self, sent: bytes) -> None:
        """Send bytes that break HTTP: a 4xx or a closed connection."""
        self.survey(sent, self.check_broken)

    def check_broken(self, sent: bytes) -> None:
        for answer in self.exchange(sent):
            self.assertGreaterEqual(answer.status, 400, answer)

    def test_request_lines(self) -> None:
        """A line that is no request line is answered with 400 or not at all."""
        lines = [
            b"GET",
            b"GET /v2/",
            b"GET  /v2/  HTTP/1.1",
            b"GET /v2/ HTTP/1.1 more",
            b"GET /v2/ HTTP/9.9",
            b"GET /v2/ FTP/1.1",
            b"GET /v2/ http/1.1",
            b"GET\t/v2/\tHTTP/1.1",
            b"GET /v2/ a HTTP/1.1",
            b"GET /v2/\x00 HTTP/1.1",
            b"\x00\x01\x02\x03",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PRI * HTTP/2.0\r\n\r\nSM",
            b"SSH-2.0-OpenSSH_9.2",
            b"G\xff\xfeT /v2/ HTTP/1.1",
            b": /v2/ HTTP/1.1",
            b" GET /v2/ HTTP/1.1",
            b"GET " + b"a" * 300_000 + b" HTTP/1.1",
            b"A" * 300_000,
            b"HTTP/1.1 200 OK",
            b"GET * HTTP/1.1",
            *(
                b"%b /v2/a/manifests/%b?n=%b HTTP/1.1" % (method, text, text)
                for method in (b"GET", b"PUT", b"DELETE", b"\xc3\xa4")
                for text in ODD
                if max(text, default=0) >= 0x7F
            ),
        ]
        for line in lines:
            self.broken(line + b"\r\nHost: x\r\n\r\n")

    def test_random_bytes(self) -> None:
        """Noise is never an internal error, and never holds a connection."""
        chance = random.Random(SEED)
        for _ in range(300):
            self.broken(chance.randbytes(chance.randrange(1, 200)) + b"\r\n\r\n")

    def test_framing(self) -> None:
        """Lengths that contradict or mean nothing are refused, body and all."""
        post = b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n"
        for lines in (
            b"Content-Length: 1\r\nContent-Length: 2\r\n",
            b"Content-Length: 1\r\nContent-Length: 1\r\n",
            b"Content-Length: 1, 1\r\n",
            b"Content-Length: -1\r\n",
            b"Content-Length: +1\r\n",
            b"Content-Length: 1_0\r\n",
            b"Content-Length: 0x1\r\n",
            b"Content-Length: \xd9\xa3\r\n",
            b"Content-Length: one\r\n",
            b"Content-Length:\r\n",
            b"Content-Length : 1\r\n",
            b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            b"Transfer-Encoding: gzip\r\n",
            b"Transfer-Encoding: chunked, chunked\r\n",
            b"Transfer-Encoding: chunked, identity\r\n",
            b"Transfer-Encoding: xchunked\r\n",
        ):
            self.broken(post + lines + b"\r\nx")

    def test_header_lines(self) -> None:
        """Header lines that are none are refused."""
        get = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n"
        for lines in (
            b"no colon\r\n",
            b": no name\r\n",
            b"a b: c\r\n",
            b"X: " + b"a" * 200_000 + b"\r\n",
            b"X: y\r\n" * 5000,
            b"".join(b"X-%d: y\r\n" % number for number in range(5000)),
        ):
            self.broken(get + lines + b"\r\n")

    def test_chunked_encodings(self) -> None:
        """A chunked body that is none is refused, and does not commit anything."""
        url = self._upload()
        chance = random.Random(SEED)
        bodies = [
            b"x\r\n",
            b"\r\n\r\n",
            b"-1\r\nx\r\n",
            b"0x1\r\nx\r\n",
            b"1_0\r\nx\r\n",
            b"+1\r\nx\r\n",
            b" 1\r\nx\r\n",
            b"1\nx\n0\n\n",
            b"1\r\nxx\r\n0\r\n\r\n",
            b"1;" + b"a" * 20_000 + b"\r\nx\r\n",
            b"f" * 40 + b"\r\nx\r\n",
            b"1\r\nx0\r\n\r\n",
            b"\xff\r\n",
            *(chance.randbytes(chance.randrange(1, 60)) + b"\r\n" for _ in range(100)),
        ]
        for body in bodies:
            for method in (b"PATCH", b"PUT"):
                path = url + (b"&digest=" + ZEROS.encode() if method == b"PUT" else b"")
                sent = b"%b %b HTTP/1.1\r\nHost: x\r\n" % (method, path)
                self.broken(sent + b"Transfer-Encoding: chunked\r\n\r\n" + body)
                if method == b"PUT":
                    url = self._upload()

    def test_half_a_request(self) -> None:
        """A client that stops in the middle is not waited for without an end."""
        manifest = b"PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\n"
        upload = b"PATCH %b HTTP/1.1\r\nHost: x\r\n" % self._upload()
        for sent in (
            b"",
            b"G",
            b"GET /v2/",
            b"GET /v2/ HTTP/1.1\r\n",
            b"GET /v2/ HTTP/1.1\r\nHost: x\r\n",
            b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX: ",
            manifest + b"Content-Length: 10\r\n\r\n",
            manifest + b"Content-Length: 10\r\n\r\n{}",
            manifest + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
            upload + b"Content-Length: 10\r\n\r\n",
            upload + b"Content-Length: 10\r\n\r\nhalf",
            upload + b"Transfer-Encoding: chunked\r\n\r\n",
            upload + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            upload + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
            upload + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n",
        ):
            self.survey(sent, self.check_half)

    def check_half(self, sent: bytes) -> None:
        line = Line(self.house).send(sent).wait(PATIENCE)
        self.assertTrue(line.closed)
        self.assertEqual([a for a in line.answers() if a.status < 400], [])
        logged = self.flushLoggedErrors()
        self.assertEqual([repr(failure.value) for failure in logged], [])

    def _upload(self) -> bytes:
        got = self.house.send("POST", "/v2/a/blobs/uploads/")
        location = got.header("Location") or ""
        return location.removeprefix("http://registry.example").encode()


class OddPartTests(MalformedCase):
    """HTTP is in order; a part of the request is not."""

    def test_methods(self) -> None:
        """A method that a route does not have is 405, whatever it is called."""
        paths = (b"/v2/", b"/v2/a/tags/list", b"/v2/a/manifests/x", b"/v2/_catalog")
        for method in (
            b"get",
            b"BREW",
            b"PROPFIND",
            b"M-SEARCH",
            b"TRACE",
            b"PUTS",
        ):
            for path in paths:
                self.refused(head(method, path), (400, 405))
        for path in paths:
            self.refused(head(b"POST", path, body=b"x"), (405,))

    def test_options(self) -> None:
        """OPTIONS says what a resource has, and does nothing (RFC 9110, 9.3.7)."""
        for path in (b"/v2/", b"/v2/a/manifests/x", b"/v2/a/blobs/uploads/"):
            (answer,) = self.exchange(head(b"OPTIONS", path))
            self.assertLess(answer.status, 300)
            self.assertTrue(answer.headers["allow"])
        self.refused(head(b"OPTIONS", b"/v3/"), (404,))

    def test_names(self) -> None:
        """A name that breaks the grammar is refused on every route."""
        routes = (
            (b"GET", b"/v2/%b/tags/list"),
            (b"GET", b"/v2/%b/manifests/x"),
            (b"PUT", b"/v2/%b/manifests/x"),
            (b"DELETE", b"/v2/%b/manifests/x"),
            (b"GET", b"/v2/%b/blobs/" + ZEROS.encode()),
            (b"GET", b"/v2/%b/referrers/" + ZEROS.encode()),
            (b"POST", b"/v2/%b/blobs/uploads/"),
            (b"PATCH", b"/v2/%b/blobs/uploads/x"),
        )
        for name in (*ODD, b"a//b", b"/a", b"a/", b"_a", b"a__/b", b"A" * 600, b"a..b"):
            if not fits_a_target(name) or re.fullmatch(b"[a-z0-9]{1,255}", name):
                continue
            for method, path in routes:
                body = b"{}" if method != b"GET" else None
                self.refused(head(method, path % name, body=body), (400, 404, 405))

    def test_references(self) -> None:
        """So is a tag, a digest or the id of an upload."""
        for text in filter(fits_a_target, ODD):
            for method, path in (
                (b"GET", b"/v2/a/manifests/%b"),
                (b"HEAD", b"/v2/a/manifests/%b"),
                (b"PUT", b"/v2/a/manifests/%b"),
                (b"DELETE", b"/v2/a/manifests/%b"),
                (b"GET", b"/v2/a/blobs/%b"),
                (b"DELETE", b"/v2/a/blobs/%b"),
                (b"GET", b"/v2/a/referrers/%b"),
                (b"GET", b"/v2/a/blobs/uploads/%b"),
                (b"PATCH", b"/v2/a/blobs/uploads/%b"),
                (b"PUT", b"/v2/a/blobs/uploads/%b"),
                (b"DELETE", b"/v2/a/blobs/uploads/%b"),
            ):
                body = b"{}" if method in (b"PUT", b"PATCH") else None
                self.refused(head(method, path % text, body=body))

    def test_query_values(self) -> None:
        """Odd values of parameters are refused or mean nothing."""
        upload = self._upload()
        for value in filter(fits_a_target, ODD):
            for name in (b"n", b"last", b"artifactType", b"unknown", b"%ff", b""):
                for path in (
                    b"/v2/_catalog",
                    b"/v2/a/tags/list",
                    b"/v2/a/referrers/" + ZEROS.encode(),
                ):
                    self.answered(head(b"GET", b"%b?%b=%b" % (path, name, value)))
            for name in (b"mount", b"from", b"digest", b"digest-algorithm"):
                path = b"/v2/a/blobs/uploads/?%b=%b" % (name, value)
                self.answered(head(b"POST", path, body=b""))
            self.refused(head(b"PUT", b"%b&digest=%b" % (upload, value), body=b"x"))
            path = b"/v2/a/manifests/%b?tag=%b" % (ZEROS.encode(), value)
            self.refused(head(b"PUT", path, body=b"{}"))

    def test_page_numbers(self) -> None:
        """A number of entries that is none is 400 (distribution-spec, tags)."""
        for value in (b"-1", b"a", b"1.0", b"0x1", b"1e3", b"%20", b"+1", b"1_0"):
            for path in (b"/v2/_catalog", b"/v2/a/tags/list"):
                self.refused(head(b"GET", b"%b?n=%b" % (path, value)), (400,))

    def test_states(self) -> None:
        """A state that was not given by us is refused, whatever it looks like."""
        bare = self._upload().partition(b"?")[0]
        state = self._upload().partition(b"_state=")[2]
        chance = random.Random(SEED)
        values = [value for value in ODD if fits_a_target(value) and b"&" not in value]
        for _ in range(100):
            place = chance.randrange(len(state))
            spoilt = bytearray(state)
            spoilt[place] = chance.choice(b"abcdefXYZ019-_")
            values.append(bytes(spoilt))
        values += [state[:length] for length in range(1, len(state), 7)]
        for value in values:
            for method in (b"PATCH", b"PUT"):
                path = b"%b?_state=%b&digest=%b" % (bare, value, ZEROS.encode())
                self.refused(head(method, path, body=b"x"))

    def test_content_ranges(self) -> None:
        """A Content-Range that is none, or lies, is 400 or 416; nothing is taken."""
        values = [
            *(value for value in ODD if value.strip()),
            b"0-",
            b"-0",
            b"1-0",
            b"0-1",
            b"5-5",
            b"bytes 0-1/2",
            b"bytes */1",
            b"0 - 0",
            b"0-0-0",
            b"0-%b" % (b"9" * 18),
            b"%b-%b" % (b"9" * 19, b"9" * 19),
            b"\xef\xbc\x90-\xef\xbc\x90",
        ]
        for value in values:
            if set(value) & set(b"\x00"):
                continue
            sent = head(b"PATCH", self._upload(), b"Content-Range: " + value, body=b"x")
            self.refused(sent, (400, 416))
        self.assertEqual([p for p in self.house.paths() if "hashstates" in p], [])

    def test_header_values(self) -> None:
        """Odd values of headers are refused or mean nothing, and are never ours."""
        self._fill()
        for value in ODD:
            if set(value) & set(b"\x00\r\n"):
                continue
            for name in (
                b"Accept",
                b"Authorization",
                b"Range",
                b"If-None-Match",
                b"If-Range",
                b"Forwarded",
                b"X-Forwarded-Proto",
                b"X-Forwarded-Host",
                b"User-Agent",
                b"Referer",
                b"Content-Type",
                b"Cookie",
                b"Expect",
                b"Connection",
                b"Upgrade",
            ):
                line = name + b": " + value
                for path in (
                    b"/v2/a/manifests/x",
                    b"/v2/a/blobs/" + EMPTY.encode(),
                ):
                    extra = (b"Range: bytes=0-0",) if name == b"If-Range" else ()
                    self.answered(head(b"GET", path, line, *extra))
                path = b"/v2/a/blobs/uploads/"
                self.answered(head(b"POST", path, line, body=b""))
                if name == b"Content-Type":
                    path = b"/v2/a/manifests/y"
                    self.refused(head(b"PUT", path, line, body=b"{}"), (400,))

    def test_host_headers(self) -> None:
        """An odd Host gives no odd Location."""
        for value in ODD:
            if set(value) & set(b"\x00"):
                continue
            sent = b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: %b\r\n" % value
            self.survey(sent + b"Content-Length: 0\r\n\r\n", self.check_location)

    def check_location(self, sent: bytes) -> None:
        (answer,) = self.exchange(sent)
        location = answer.headers.get("location", "/v2/")
        self.assertRegex(location, r"\A(https?://[A-Za-z0-9._:\[\]-]+)?/v2/")

    def test_ranges(self) -> None:
        """A Range is 206, 416, or not looked at (RFC 9110, 14.2)."""
        self._fill()
        chance = random.Random(SEED)
        alphabet = ["bytes=", "0", "9", "-", ",", " ", "=", "99999999999", "a", "/"]
        for _ in range(400):
            text = "".join(chance.choices(alphabet, k=chance.randrange(1, 9)))
            for path in (b"/v2/a/manifests/x", b"/v2/a/blobs/" + EMPTY.encode()):
                self.answered(head(b"GET", path, b"Range: bytes=" + text.encode()))
                self.answered(head(b"GET", path, b"Range: " + text.encode()))

    def test_nobody_here_speaks_to_hosts(self) -> None:
        """Odd targets of requests are paths without a route."""
        for target in (
            b"https://x/v3/",
            b"ftp://x/v2/",
            b"x:443",
            b"//x/v2/",
            b"/v2/a",
            b"/v2/a/b/c",
            b"/V2/",
            b"/v2/%2e%2e/etc/passwd",
            b"/v2/../v2/",
            b"/v2/a/../b/tags/list",
            b"/v2/a/blobs/uploads",
            b"/v2/a/blobs/uploads//",
            b"/v2/a/manifests/",
            b"/v2/a/tags/list/",
            b"/v2/;/tags/list",
            b"/v2/" + b"a/" * 3000 + b"tags/list",
        ):
            self.refused(head(b"GET", target))

    @settings(settle_down, max_examples=300)
    @given(
        st.sampled_from([b"GET", b"HEAD", b"PUT", b"POST", b"PATCH", b"DELETE"]),
        st.text(max_size=20),
        st.sampled_from(["tags/list", "manifests/", "blobs/", "blobs/uploads/", ""]),
        st.text(max_size=20),
        st.text(max_size=10),
    )
    def test_any_text(
        self, method: bytes, name: str, kind: str, last: str, value: str
    ) -> None:
        """Any text anywhere in a URL gets one answer."""
        path = f"/v2/{_quoted(name)}/{kind}{_quoted(last)}?n={_quoted(value)}"
        body = b"{}" if method in (b"PUT", b"POST", b"PATCH") else None
        self.check_answered(head(method, path.encode(), body=body))

    @settings(settle_down, max_examples=300)
    @given(st.binary(max_size=30), st.binary(max_size=30), st.binary(max_size=40))
    def test_any_bytes(self, path: bytes, query: bytes, header: bytes) -> None:
        """Any bytes in a request line or a header get an answer or a closed door."""
        self.exchange(
            b"GET /v2/%b/tags/list?%b HTTP/1.1\r\nHost: x\r\nRange: %b\r\n\r\n"
            % (path, query, header)
        )

    def _upload(self) -> bytes:
        got = self.house.send("POST", "/v2/a/blobs/uploads/")
        location = got.header("Location") or ""
        return location.removeprefix("http://registry.example").encode()

    def _fill(self) -> None:
        self.house.send("POST", f"/v2/a/blobs/uploads/?digest={EMPTY}", b"")
        index = b'{"schemaVersion":2,"manifests":[]}'
        kind = mediatypes.OCI_INDEX
        self.house.send("PUT", "/v2/a/manifests/x", index, Content_Type=kind)


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


class ManifestTests(MalformedCase):
    """Documents that are no manifests."""

    def setUp(self) -> None:
        super().setUp()
        self.house.send("POST", f"/v2/a/blobs/uploads/?digest={EMPTY}", b"")

    def tearDown(self) -> None:
        """None of them was stored."""
        super().tearDown()
        stored = [path for path in self.house.paths() if "_manifests" in path]
        self.assertEqual(stored, [])

    def push(self, body: bytes, kind: str = mediatypes.OCI_MANIFEST) -> bytes:
        line = b"Content-Type: " + kind.encode()
        return head(b"PUT", b"/v2/a/manifests/x", line, body=body)

    def refuse_document(self, document: object, kind: str) -> None:
        """Push a document, which is refused as an invalid manifest."""
        body = json.dumps(document).encode("ascii")
        self.refused(self.push(body, kind), (400,))

    def test_no_json(self) -> None:
        """What is no JSON document of UTF-8 is refused (RFC 8259)."""
        image = json.dumps(_image()).encode()
        chance = random.Random(SEED)
        bodies = [
            b"",
            b"{",
            b"[]",
            b"null",
            b"true",
            b"1",
            b'"text"',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"[" * 100_000 + b"]" * 100_000,
            b"{}" * 2,
            b"\xff\xfe{}",
            b"\x80",
            b'{"schemaVersion":2',
            b"9" * 10_000,
            b'{"schemaVersion":' + b"9" * 10_000 + b"}",
            b"\x00" * 1000,
            *(image[:length] for length in range(0, len(image), 5)),
            *(chance.randbytes(chance.randrange(1, 100)) for _ in range(200)),
        ]
        for body in bodies:
            for kind in (mediatypes.OCI_MANIFEST, mediatypes.OCI_INDEX):
                self.refused(self.push(body, kind), (400,))

    def test_numbers_that_are_not_json(self) -> None:
        """NaN and Infinity are no JSON (RFC 8259, 6): no client could read it."""
        for number in ("NaN", "Infinity", "-Infinity"):
            body = json.dumps({**_image(), "extra": 0}).replace(
                '"extra": 0', f'"extra": {number}'
            )
            self.refused(self.push(body.encode()), (400,))

    def test_other_encodings(self) -> None:
        """A document is UTF-8 (RFC 8259, 8.1); in UTF-16 no client could read it."""
        for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
            self.refused(self.push(json.dumps(_image()).encode(encoding)), (400,))

    def test_wrong_types(self) -> None:
        """A field of a wrong type is refused, in every family."""
        for kind, document in (
            (mediatypes.OCI_MANIFEST, _image()),
            (mediatypes.DOCKER_MANIFEST, _image(mediatypes.DOCKER_MANIFEST)),
            (mediatypes.OCI_INDEX, _index()),
            (mediatypes.DOCKER_LIST, _index(mediatypes.DOCKER_LIST)),
            (mediatypes.DOCKER_SCHEMA1_SIGNED, _schema1()),
        ):
            for spoilt in _spoilt(document, ()):
                self.refuse_document(spoilt, kind)

    def test_huge_sizes(self) -> None:
        """A size is a 64-bit integer (image-spec, descriptor)."""
        for size in (-1, 2**63, 10**30, 10**400, 1.5, 1e300, True, "1"):
            document = _image()
            document["config"] = {**document["config"], "size": size}
            self.refuse_document(document, mediatypes.OCI_MANIFEST)

    def test_schema_versions(self) -> None:
        """The version of an image or an index is 2 (image-spec: MUST)."""
        for version in (0, 1, 3, "2", None, 2.5, [2], {}, True):
            for kind, document in (
                (mediatypes.OCI_MANIFEST, _image()),
                (mediatypes.OCI_INDEX, _index()),
            ):
                self.refuse_document({**document, "schemaVersion": version}, kind)

    def test_media_types(self) -> None:
        """A type that is unknown, or contradicts the document, is refused."""
        for value in (
            *ODD,
            b"application/json",
            b"text/html",
            b"a/b",
            b"application/*",
        ):
            if set(value) & set(b"\x00"):
                continue
            line = b"Content-Type: " + value
            body = json.dumps({**_image(), "mediaType": "x/y"}).encode()
            sent = head(b"PUT", b"/v2/a/manifests/x", line, body=body)
            self.refused(sent, (400,))
        for kind in mediatypes.MANIFEST_TYPES:
            document = _index() if kind == mediatypes.OCI_MANIFEST else _image()
            self.refuse_document(document, kind)

    def test_surrogates(self) -> None:
        """Half a character is no text, and no document is kept that has one."""
        for field in ("artifactType", "mediaType"):
            self.refuse_document({**_image(), field: "\ud800"}, mediatypes.OCI_MANIFEST)
        document = _image()
        document["config"] = {**document["config"], "mediaType": "\udfff"}
        self.refuse_document(document, mediatypes.OCI_MANIFEST)
        for odd in ({"a": "\ud83d"}, {"\ud83d": "a"}):
            document = {**_image(), "annotations": odd}
            self.refuse_document(document, mediatypes.OCI_MANIFEST)

    def test_both_families_at_once(self) -> None:
        """A document that is an image and an index is neither."""
        both = {**_image(), "manifests": []}
        for kind in (*mediatypes.MANIFEST_TYPES[:4],):
            self.refuse_document({**both, "mediaType": kind}, kind)

    def test_duplicate_keys(self) -> None:
        """Whichever of two values counts, what is missing is missing."""
        digests = [ZEROS, EMPTY]
        for first, second in (digests, digests[::-1]):
            body = json.dumps(_image()).replace(
                f'"digest": "{ZEROS}"', f'"digest": "{first}", "digest": "{second}"'
            )
            answers = self.exchange(self.push(body.encode()))
            self.assertIn(answers[0].status, (201, 400))
            if answers[0].status == 201:
                self.house.send("DELETE", "/v2/a/manifests/x")
                digest = answers[0].headers["docker-content-digest"]
                self.house.send("DELETE", f"/v2/a/manifests/{digest}")

    def test_too_large(self) -> None:
        """More than 4 MiB is 413, told before it is sent where that is known."""
        body = b" " * (4 * 1024 * 1024 + 1)
        self.refused(self.push(body), (413,))
        sent = b"PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\n"
        self.refused(sent + b"Content-Length: 9999999999\r\n\r\n", (413,))
        chunk = b"%x\r\n%b\r\n" % (len(body), body)
        self.refused(sent + b"Transfer-Encoding: chunked\r\n\r\n" + chunk, (413,))

    @settings(settle_down, max_examples=300)
    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(st.characters(), max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(FIELDS),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ),
        st.sampled_from(mediatypes.MANIFEST_TYPES),
    )
    def test_any_document(self, document: object, kind: str) -> None:
        """Any JSON document gets one answer, and only an empty index is taken."""
        (answer,) = self.exchange(self.push(json.dumps(document).encode(), kind))
        if answer.status == 201:
            digest = answer.headers["docker-content-digest"]
            self.house.send("DELETE", f"/v2/a/manifests/{digest}")
        else:
            self.check_error(b"", answer)


def _descriptor() -> dict[str, object]:
    return {
        "mediaType": "application/vnd.oci.image.layer.v1.tar",
        "digest": ZEROS,
        "size": 1,
        "urls": ["https://x/y"],
        "platform": {"os": "linux", "architecture": "amd64"},
    }


def _common() -> dict[str, object]:
    return {
        "artifactType": "a/b",
        "subject": {**_descriptor(), "digest": EMPTY},
        "annotations": {"a": "b"},
    }


def _image(kind: str = mediatypes.OCI_MANIFEST) -> dict[str, object]:
    there = {"mediaType": "a/b", "digest": EMPTY, "size": 0}
    return {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": dict(there),
        "layers": [dict(there)],
        **_common(),
    }


def _index(kind: str = mediatypes.OCI_INDEX) -> dict[str, object]:
    there = {**_descriptor(), "digest": EMPTY, "mediaType": "a/b"}
    return {"schemaVersion": 2, "mediaType": kind, "manifests": [there], **_common()}


def _schema1() -> dict[str, object]:
    return {
        "schemaVersion": 1,
        "name": "a",
        "tag": "x",
        "fsLayers": [{"blobSum": EMPTY}],
        "history": [{"v1Compatibility": "{}"}],
        "signatures": [{"protected": "e30", "signature": "eA", "header": {}}],
    }


#: What is of another type than a value; text is taken as any of them.
_OTHERS: tuple[object, ...] = (1, 1.5, True, "x", [], {}, [1], {"a": 1}, [None])

#: Fields that nobody reads here; whatever is in them is the client's business.
_FREE = {"name", "tag", "v1Compatibility", "signature", "header", "schemaVersion"}


def _spoilt(value: object, path: tuple[object, ...]) -> Iterable[object]:
    """Give a document with each of its parts replaced by one of a wrong type."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in _FREE:
                for changed in _spoilt(inner, (*path, name)):
                    yield {**value, name: changed}
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for changed in _spoilt(inner, (*path, index)):
                yield [*value[:index], changed, *value[index + 1 :]]
    if path:
        yield from (other for other in _OTHERS if not _same_type(value, other))


def _same_type(value: object, other: object) -> bool:
    if isinstance(value, dict) and isinstance(other, dict):
        return not other or "digest" not in value
    if isinstance(value, list) and isinstance(other, list):
        return not other or (other == [None] and isinstance(value[0], str))
    return type(value) is type(other)
