"""What is read of a request."""

from __future__ import annotations

from tests.web.console.cases import ConsoleCase
from txregistry.web.console import asked


class AskedTests(ConsoleCase):
    """Bodies and queries."""

    def status(self, body: bytes, kind: str = "application/json") -> int:
        token = self.api("session")["token"]
        got = self.visit(
            "/api/v1/jobs", "POST", body, Content_Type=kind, X_CSRF_Token=token
        )
        return got.status

    def test_bodies(self) -> None:
        """An object of JSON, not too long; a charset changes nothing."""
        good = b'{"action": "offline", "options": {"on": false}}'
        self.assertEqual(self.status(good), 202)
        self.assertEqual(self.status(good, "application/json; charset=utf-8"), 202)
        for body in (
            b"",
            b"[]",
            b"{",
            b"[" * 50_000,
            b'{"a": NaN}',
            b'{"a":' + b"[" * 150 + b"]" * 150 + b"}",
            b" " * (asked.MAX_BODY + 1),
        ):
            self.assertEqual(self.status(body), 400)

    def test_forms(self) -> None:
        """Fields beyond a number are refused, as is a form that is too long."""
        many = "&".join(f"a{number}=1" for number in range(200)).encode()
        for body in (many, b"a=" + b"x" * asked.MAX_BODY):
            kind = "application/x-www-form-urlencoded"
            got = self.visit("/actions", "POST", body, Content_Type=kind)
            self.assertEqual(got.status, 400)

    def test_chunks(self) -> None:
        """A body without a length is bounded as well."""
        from tests.web.raw import Line

        line = Line(self.house, self.wire)
        line.send(
            b"POST /actions HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(3):
            line.send(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        self.assertIn(b" 400 ", line.received.split(b"\r\n")[0])
