"""The page of what happened."""

from __future__ import annotations

from twisted.logger import Logger

from tests.web.console.cases import PageCase
from txregistry.web.console.views import EVENTS


class ActivityPageTests(PageCase):
    """The last events."""

    def test_activity(self) -> None:
        """What is told is escaped, and can be chosen from."""
        Logger(namespace="txregistry.proxy", observer=self.publisher).warn("<script>")
        text = self.read("/activity")
        self.assertIn("&lt;script&gt;", text)
        digest = "sha256:" + "a" * 64
        Logger(namespace="txregistry.x", observer=self.publisher).info(f"b {digest} c")
        short = f'<span>b <code title="{digest}">sha256:aaaaaaaaaaaa</code> c</span>'
        self.assertIn(short, self.read("/activity"))
        self.assertIn("checked", self.read("/activity?kind=failed"))
        self.assertIn("Nothing of this kind", self.read("/activity?kind=came"))

    def test_older_events(self) -> None:
        """A page has so many, whatever they say; the next one goes on there."""
        logger = Logger(namespace="txregistry.proxy", observer=self.publisher)
        for number in range(EVENTS + 2):
            logger.warn("{n} {x}", n=number, x="<" * 1000, request="a" * 32)
        text = self.read("/activity?kind=failed")
        self.assertEqual(text.count("</tr>"), EVENTS + 1)
        self.assertIn('data-live="/activity/live?kind=failed&amp;text="', text)
        older = "/activity?kind=failed&text=&before=3"
        self.assertIn(f'href="{older.replace("&", "&amp;")}"', text)
        self.assertIn(f'href="/activity?text={"a" * 32}"', text)
        text = self.read(older)
        self.assertEqual(text.count("</tr>"), 3)
        self.assertNotIn("Older", text)
        self.assertNotIn("data-live", text)
