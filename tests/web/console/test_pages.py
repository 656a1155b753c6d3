"""The pages, as somebody without scripts has them."""

from __future__ import annotations

from tests.web.console.cases import ByName, ConsoleCase, PageCase, Reader
from txregistry.interfaces.access import IAccessController


class PagesTests(PageCase):
    """What all of them keep."""

    def test_no_token(self) -> None:
        """A form without it does nothing, and says so on a page."""
        got = self.submit("/actions", action="offline", token="x")
        self.assertEqual(got.status, 403)
        self.assertIn(b"X-CSRF-Token is missing", got.body)
        Reader(got.body.decode())
        self.assertFalse(self.house.offline.is_on)


class ReadersTests(ConsoleCase):
    """Who may only look."""

    roles = {"*": "read"}

    def controller(self) -> IAccessController:
        return ByName()

    def test_no_forms(self) -> None:
        """They are offered nothing."""
        text = self.page("/actions", Authorization="bob")
        self.assertIn("You may look, but not act.", text)
        self.assertNotIn("<form", text)
        self.warm("corp/org/app:v1")
        text = self.page("/image?name=corp/org/app:v1", Authorization="bob")
        self.assertIn("docker pull", text)
        self.assertNotIn('/actions"><input', text)
        self.assertNotIn("Act on it", text)
        self.assertIn("bob", text)
        got = self.visit("/")
        self.assertEqual(got.status, 401)
        self.assertEqual(got.header("WWW-Authenticate"), 'Basic realm="x"')
