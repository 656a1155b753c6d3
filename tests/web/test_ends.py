"""Every way in which a request may end, by every method, on both protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.web.http.test_http2 import H2Client, Stream
from tests.web.raw import Line
from txregistry.spec.digest import Digest
from txregistry.testing.conversations import REGISTRY
from txregistry.testing.house import TestHouse
from txregistry.testing.wire import Wire
from txregistry.web import router
from txregistry.web.http.body_request import MAX_DROPPED_BYTES
from txregistry.web.http.serving import make_serving
from txregistry.web.http.site import RegistrySite

UPLOADS = "/v2/a/b/blobs/uploads/"

#: What is sent after the head: data, or nothing more of it, or fields that end it. The
#: last one ends the stream.
Part = bytes | None

#: Ways to end a stream of HTTP/2 without a body.
EMPTY: dict[str, tuple[Part, ...]] = {
    "head": (),
    "empty frame": (b"",),
    "two empty frames": (b"", b""),
    "trailers": (None,),
    "empty frame, trailers": (b"", None),
}

#: Ways to end one that has the body ``ab``.
FULL: dict[str, tuple[Part, ...]] = {
    "data": (b"ab",),
    "data, empty frame": (b"ab", b""),
    "empty frames, data": (b"", b"", b"ab"),
    "data, empty frames, data, empty frame": (b"a", b"", b"b", b""),
    "data, trailers": (b"ab", None),
    "data, empty frame, trailers": (b"ab", b"", None),
}

#: The same for HTTP/1.1: what follows the common lines of the head.
EMPTY_LINES = {
    "no length": b"\r\n",
    "length 0": b"Content-Length: 0\r\n\r\n",
    "no chunk": b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "trailers": b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n",
    "expected": b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
}
FULL_LINES = {
    "length": b"Content-Length: 2\r\n\r\nab",
    "chunk": b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
    "trailers": b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n",
}

#: Method, path, and the status; what begins with ``+`` goes on with an upload.
Ask = tuple[str, str, int]


def asks(body: bytes) -> Sequence[Ask]:
    """Give what is asked with a body."""
    digest = Digest.of(body)
    return (
        ("GET", "/v2/", 200),
        ("GET", f"/v2/a/b/blobs/{Digest.of(b'blob')}", 200),
        ("HEAD", f"/v2/a/b/blobs/{Digest.of(b'blob')}", 200),
        ("POST", UPLOADS, 202),
        ("POST", f"{UPLOADS}?digest={digest}", 201),
        ("PUT", f"+&digest={digest}", 201),
        ("PUT", "/v2/a/b/manifests/one", 400),
        ("PATCH", "+", 202),
        ("DELETE", "+", 204),
        ("DELETE", "/v2/a/b/manifests/none", 404),
    )


def matrix(forms: dict[str, Any], body: bytes) -> Iterator[tuple[Ask, str, bool]]:
    """Give each question with each way to end it, with and without a length."""
    yield from product(asks(body), forms, (True, False))


class EndCase(SynchronousTestCase):
    """A registry that speaks both protocols and has the blob ``blob``."""

    def setUp(self) -> None:
        self.house = TestHouse()
        house = self.house
        house.send("POST", f"{UPLOADS}?digest={Digest.of(b'blob')}", b"blob")
        resource = house.registry.resource
        house.registry = RegistrySite(
            make_serving(resource, house.recorder, cleartext_http2=True), house.clock
        )
        house.registry_wire = Wire(house.registry, house.clock)

    def path(self, path: str) -> str:
        """Give a path; one that begins with ``+`` is that of a new upload."""
        if not path.startswith("+"):
            return path
        location = self.house.send("POST", UPLOADS).header("Location") or ""
        return location.removeprefix(REGISTRY) + path[1:]

    def assertAllGone(self, told: str) -> None:
        self.assertEqual(self.house.registry.active, set(), told)


class Http2EndTests(EndCase):
    """HTTP/2: the end may be on the head, on data, on nothing, and on trailers."""

    def setUp(self) -> None:
        super().setUp()
        self.client = H2Client(self.house)

    def begin(
        self, method: str, path: str, parts: Sequence[Part], length: int | None
    ) -> tuple[int, Stream]:
        """Send a head, which ends the stream if no part is to follow."""
        named = () if length is None else (("content-length", str(length)),)
        return self.client.ask(method, self.path(path), *named, end=not parts)

    def go_on(self, number: int, parts: Sequence[Part], flush: bool = True) -> None:
        """Send what follows, in one piece or each part by itself."""
        h2 = self.client.h2
        for count, part in enumerate(parts, 1):
            if part is None:
                method = h2.streams[number].request_method
                h2.send_headers(number, [("x-sum", "1")], end_stream=True)
                # The client's library forgets that it is HEAD, which has no body.
                h2.streams[number].request_method = method
            else:
                ends = count == len(parts)
                h2.send_data(number, part, ends)
            if flush:
                self.client.flush()
        self.client.flush()

    def check(self, forms: dict[str, tuple[Part, ...]], body: bytes) -> None:
        for (method, path, status), form, has_length in matrix(forms, body):
            for flush in (True, False):
                told = f"{method} {path}, {form}, {has_length=}, {flush=}"
                length = len(body) if has_length else None
                number, stream = self.begin(method, path, forms[form], length)
                self.go_on(number, forms[form], flush)
                self.client.settle(stream, 0.5)
                self.assertEqual((stream.status, stream.ended), (status, True), told)
                self.assertIsNone(stream.reset, told)
                self.assertAllGone(told)
        self.assertIsNone(self.client.gone)

    def test_without_a_body(self) -> None:
        """A request without a body is answered, however it ends."""
        self.check(EMPTY, b"")

    def test_with_a_body(self) -> None:
        """One with a body is answered, however that ends, a GET with one as well."""
        self.check(FULL, b"ab")

    def test_before_anybody_reads(self) -> None:
        """An end that comes before the body is wanted waits for whoever wants it."""
        for form, has_length in product(FULL | EMPTY, (True, False)):
            parts = (FULL | EMPTY)[form]
            body = b"".join(part or b"" for part in parts)
            waiting = self.hold()
            path = f"{UPLOADS}?digest={Digest.of(body)}"
            length = len(body) if has_length else None
            number, stream = self.begin("POST", path, parts, length)
            self.go_on(number, parts)
            self.assertEqual(stream.status, 0, form)
            self.assertEqual(len(waiting), 1, form)
            waiting.pop()()
            self.assertEqual(self.client.settle(stream, 0.5).status, 201, form)

    def hold(self) -> list[Callable[[], None]]:
        """Let the next request wait before anything is done for it."""
        real, waiting = router.Router._run, []

        def run(this: router.Router, request: Any) -> Any:
            self.patch(router.Router, "_run", real)
            done: Deferred[None] = Deferred()
            waiting.append(lambda: done.callback(None))
            return done.addCallback(lambda _: real(this, request))

        self.patch(router.Router, "_run", run)
        return waiting

    def test_padding(self) -> None:
        """A frame of nothing but padding is empty, and the window is given back."""
        path = f"{UPLOADS}?digest={Digest.of(b'')}"
        for length in ((), (("content-length", "0"),)):
            number, stream = self.client.ask("POST", path, *length, end=False)
            for ends in (False,) * 600 + (True,):
                self.client.h2.send_data(number, b"", ends, pad_length=100)
                self.client.flush()
            self.assertEqual(self.client.settle(stream, 0.5).status, 201)
            self.assertAllGone("padding")

    def test_end_after_the_answer(self) -> None:
        """A GET is answered to its end though its body is still to come."""
        number, stream = self.client.ask("GET", "/v2/", end=False)
        self.client.settle(stream, 0.5)
        self.assertEqual((stream.status, stream.body), (200, b"{}"))
        self.assertTrue(stream.ended)
        self.assertAllGone("answered")
        self.client.upload(number, bytes(500_000))
        self.client.turn(200)  # the first bytes of a connection are taken in steps
        self.assertIsNone(stream.reset)
        self.assertEqual(self.connection()._late_bodies.streams, [])
        self.assertAllStay()

    def test_much_after_the_answer(self) -> None:
        """What goes on for long after the answer is stopped, without an error."""
        number, stream = self.client.ask("GET", "/v2/", end=False)
        self.client.settle(stream, 0.5)
        sent = self.client.upload(number, bytes(4 * MAX_DROPPED_BYTES))
        self.assertLess(sent, 2 * MAX_DROPPED_BYTES)
        self.assertEqual(stream.reset, 0)
        self.assertEqual(self.connection()._late_bodies.streams, [])
        self.assertAllStay()

    def test_body_that_was_not_asked_for(self) -> None:
        """A client that waits to be asked for its body is not left waiting."""
        expects = (("expect", "100-continue"), ("content-length", "2"))
        _, stream = self.client.ask("POST", UPLOADS, *expects, end=False)
        self.client.settle(stream, 0.5)
        self.assertEqual((stream.status, stream.ended, stream.reset), (202, True, 0))

    def test_client_that_stops_after_the_answer(self) -> None:
        """A client may break its body off when it has its answer."""
        number, stream = self.client.ask("GET", "/v2/", end=False)
        self.client.settle(stream, 0.5)
        self.client.h2.reset_stream(number)
        self.client.flush()
        self.assertEqual(self.connection()._late_bodies.streams, [])
        self.assertAllStay()

    def test_streams_that_are_reset(self) -> None:
        """Of a body that ends by a reset nothing more is expected, whoever does it."""
        for by_client in (True, False):
            number, _ = self.begin("PATCH", "+", (b"",), None)
            self.client.upload(number, b"ab", end=False)
            if by_client:
                self.client.h2.reset_stream(number)
                self.client.flush()
            else:
                for request in list(self.house.registry.active):
                    request.abort()
                self.client.turn(3)
            self.assertAllGone("reset")
            self.assertEqual(self.connection()._late_bodies.streams, [])
        self.assertAllStay()

    def connection(self) -> Any:
        (channel,) = self.house.registry.channels
        return channel

    def assertAllStay(self) -> None:
        """The connection is of use as before."""
        _, other = self.client.ask("GET", "/v2/")
        self.assertEqual(self.client.settle(other, 0.5).status, 200)


class Http1EndTests(EndCase):
    """HTTP/1.1: a body has a length, or chunks, or there is none."""

    def check(self, forms: dict[str, bytes], body: bytes) -> None:
        for (method, path, status), form, at_once in matrix(forms, body):
            told = f"{method} {path}, {form}, {at_once=}"
            line, at = Line(self.house), self.path(path)
            head = f"{method} {at} HTTP/1.1\r\nHost: registry.example\r\n".encode()
            sent = head + forms[form] + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
            for piece in [sent] if at_once else _bytes(sent):
                line.send(piece)
            self.house.clock.advance(0)
            first, next_one = line.answers(method)
            self.assertEqual((first.status, next_one.status), (status, 200), told)
            self.assertAllGone(told)
            line.hang_up()

    def test_without_a_body(self) -> None:
        """A request without a body is answered, and the next on its connection."""
        self.check(EMPTY_LINES, b"")

    def test_with_a_body(self) -> None:
        """So is one with a body, a GET with one as well."""
        self.check(FULL_LINES, b"ab")


def _bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]
