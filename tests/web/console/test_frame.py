"""What all pages have."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.template import tags

from tests.web.console.cases import Reader
from txregistry.interfaces.audit import Requester
from txregistry.web.console.frame import MENU, card, flatten, page, table
from txregistry.web.console.visitors import Visitor


class FrameTests(SynchronousTestCase):
    """A page, a table, a card."""

    def drawn(self, tag: object) -> str:
        text = self.successResultOf(flatten(tag)).decode()
        Reader(text)
        return text

    def test_page(self) -> None:
        """The place in the menu is marked, what is given is escaped."""
        visitor = Visitor(Requester("<ann>"), False)
        text = self.drawn(page("A & B", "/browse", visitor, tags.p("x")))
        self.assertIn("<title>A &amp; B - txregistry</title>", text)
        self.assertIn('href="/browse" aria-current="page"', text)
        self.assertEqual(text.count("aria-current"), 1)
        self.assertIn("&lt;ann&gt;", text)
        for path, title in MENU:
            self.assertIn(f'href="{path}"', text)
            self.assertIn(title, text)

    def test_table(self) -> None:
        """Rows have heads, and who uses a keyboard can scroll it."""
        text = self.drawn(table("What", ("A", "B"), [("1", tags.b("2"))]))
        self.assertIn('<th scope="col">B</th>', text)
        self.assertIn('<th scope="row">1</th><td><b>2</b></td>', text)
        self.assertIn('tabindex="0"', text)
        self.assertIn('aria-label="What"', text)

    def test_card(self) -> None:
        """A figure with its name."""
        text = self.drawn(card("Hits", "7", tags.p("of 9")))
        self.assertIn("<h2>Hits</h2>", text)
        self.assertIn('<p class="figure">7</p><p>of 9</p>', text)
