"""The section of the admin listener."""

from __future__ import annotations

from tests.config.test_config import ReadCase

TLS = {"certificate": "/c", "key": "/k"}
SILLY = {"silly": {"realm": "r", "service": "s"}}


class AdminTests(ReadCase):
    """What cannot be used, and what should be thought over."""

    def test_problems(self) -> None:
        """Unknown roles, addresses, modes, and TLS without a certificate."""
        for section, said in (
            ({"users": {"ann": "admin"}}, "http.admin.users.ann: expected read or"),
            ({"addr": "nowhere"}, "http.admin.addr: expected host:port"),
            ({"addr": "/s", "socketmode": "9"}, "http.admin.socketmode: expected"),
            ({"addr": ":1", "tls": True}, "http.admin.tls: expects http.tls"),
        ):
            (problem,) = self.problems(http={"admin": section})
            self.assertIn(said, problem)
        good = {"addr": "/run/x.sock", "users": {"ann": "operate", "*": "read"}}
        self.assertEqual(self.warnings(http={"admin": good}), [])

    def test_remarks(self) -> None:
        """Passwords in clear, and anybody who may act, unless on this machine."""
        acting = {"users": {"*": "operate"}}
        for address in ("127.0.0.1:1", "[::1]:1", "localhost:1", "/run/x.sock"):
            section = {"addr": address, **acting}
            self.assertEqual(self.warnings(http={"admin": section}), [])
            self.assertEqual(self.warnings(http={"admin": section}, auth=SILLY), [])
        for address in (":1", "10.0.0.7:1", "cache.example:1"):
            section = {"addr": address, **acting}
            (warning,) = self.warnings(http={"admin": section})
            self.assertIn("whoever reaches the address may act", warning)
            (warning,) = self.warnings(http={"admin": section}, auth=SILLY)
            self.assertIn("passwords cross the network", warning)
            section = {"addr": address, "tls": True, **acting}
            http = {"admin": section, "tls": TLS}
            self.assertEqual(self.warnings(http=http, auth=SILLY), [])
