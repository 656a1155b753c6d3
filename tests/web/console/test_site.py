"""The site of the admin listener."""

from __future__ import annotations

from tests.web.console.cases import ByName, ConsoleCase
from txregistry.web.console.site import HEADERS


class SiteTests(ConsoleCase):
    """What every answer has, and files."""

    def test_headers(self) -> None:
        """A strict policy on pages, files, the API and errors."""
        for path in ("/", "/static/console.css", "/api/v1/session", "/nowhere", "/x//"):
            got = self.visit(path)
            for name, values in HEADERS.items():
                self.assertEqual(got.header(name), values[0], path)
        policy = HEADERS["content-security-policy"][0]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)

    def test_files(self) -> None:
        """Ours alone, and nobody has to log in for them."""
        self.site.follow(None)
        self.receive(ByName())
        self.assertEqual(self.visit("/").status, 401)
        for name, kind in (
            ("console.css", "text/css"),
            ("console.js", "text/javascript"),
            ("uPlot.iife.min.js", "text/javascript"),
        ):
            got = self.visit(f"/static/{name}")
            self.assertEqual(got.status, 200)
            self.assertEqual(got.header("Content-Type"), f"{kind}; charset=utf-8")
        for name in (
            "none.js",
            "uPlot.LICENSE",
            "..%2Fsite.py",
            "%2Fetc%2Fpasswd",
            "",
            "a" * 300,
        ):
            self.assertEqual(self.visit(f"/static/{name}").status, 404)

    def test_nothing_of_the_registry(self) -> None:
        """Nor the other way round."""
        self.assertEqual(self.visit("/v2/").status, 404)
        self.assertEqual(self.house.get("/api/v1/session").status, 404)
        self.assertEqual(self.house.get("/browse").status, 404)
