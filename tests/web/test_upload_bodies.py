"""Bodies on their way into an upload."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.web.raw import Line
from tests.web.test_uploads import UploadCase


class BodyTests(UploadCase):
    """What is kept of a body, and what is said of it."""

    def append(self, location: str, body: bytes, content_range: str) -> int:
        got = self.house.send("PATCH", location, body, Content_Range=content_range)
        return got.status

    def send(self, location: str, *headers: str) -> Line:
        """Begin a request by hand."""
        path = urlsplit(location)._replace(scheme="", netloc="").geturl()
        head = "\r\n".join((f"PATCH {path} HTTP/1.1", "Host: h", *headers))
        return Line(self.house).send(f"{head}\r\n\r\n".encode())

    def kept(self, location: str) -> str:
        return self.house.send("GET", location).header("Range")

    def test_length_of_its_range(self) -> None:
        """A chunk that is shorter or longer is refused; what has come is kept."""
        location = self.begin()
        self.assertEqual(self.append(location, b"x" * 100, "0-199"), 400)
        self.assertEqual(self.kept(location), "0-0")
        self.assertEqual(self.append(location, b"x" * 100, "0-99"), 202)
        self.assertEqual(self.kept(location), "0-99")

    def test_length_that_is_known_late(self) -> None:
        """In chunks as well, and not less of it is kept."""
        location = self.begin()
        line = self.send(location, "Transfer-Encoding: chunked", "Content-Range: 0-199")
        line.send(b"64\r\n" + b"x" * 100 + b"\r\n0\r\n\r\n")
        (answer,) = line.answers("PATCH")
        self.assertEqual((answer.status, answer.code), (400, "SIZE_INVALID"))
        self.assertEqual(self.kept(location), "0-99")

    def test_cut(self) -> None:
        """Of a client that leaves in the middle, what came is kept."""
        location = self.begin()
        line = self.send(location, "Content-Length: 300000")
        line.send(self.content[:1000]).hang_up()
        self.assertEqual(self.kept(location), "0-999")
        self.assertEqual(line.received, b"")
