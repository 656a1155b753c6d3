"""Pages of what happened and of what can be done."""

from __future__ import annotations

from twisted.logger import Logger

from tests.web.console.cases import PageCase, Reader

IMAGE = "corp/org/app:v1"


class WorkTests(PageCase):
    """The last events, and forms."""

    def test_activity(self) -> None:
        """What is told is escaped, and can be chosen from."""
        Logger(namespace="txregistry.proxy", observer=self.publisher).warn("<script>")
        text = self.read("/activity")
        self.assertIn("&lt;script&gt;", text)
        self.assertIn("checked", self.read("/activity?kind=failed"))
        self.assertIn("Nothing of this kind", self.read("/activity?kind=came"))

    def test_an_action(self) -> None:
        """A form says what it would do; the next one does it."""
        fields = {"action": "warm", "images": f" {IMAGE}\n", "platforms": ""}
        self.assertIn('name="token"', self.read("/actions"))
        got = self.submit("/actions", **fields, dry_run="1")
        self.assertEqual(got.status, 200)
        Reader(got.body.decode())
        self.assertIn(b"fetches all of it", got.body)
        self.assertEqual(self.api("jobs")["jobs"], [])
        got = self.submit("/actions", **fields)
        self.assertEqual((got.status, got.header("Location")), (303, "/jobs/1"))
        self.assertIn("begun", self.read("/jobs/1"))
        for _ in range(100):
            self.house.clock.advance(0.1)
            self.house.pump()
        text = self.read("/jobs/1")
        self.assertIn("done", text)
        self.assertIn("fetched_bytes", text)
        self.assertIn("warm 1", self.read("/actions"))

    def test_stop(self) -> None:
        """An action under way has a button that ends it."""
        self.several.upstream("corp").rate = 100
        self.submit("/actions", action="warm", images=IMAGE)
        self.assertIn("Stop it", self.read("/jobs/1"))
        got = self.submit("/jobs/1/stop")
        self.assertEqual(got.status, 303)
        self.assertIn("stopped", self.read("/jobs/1"))

    def test_what_cannot_be_done(self) -> None:
        """It is said why, before and after."""
        got = self.submit("/actions", action="purge", images=IMAGE, dry_run="1")
        self.assertIn(b"cannot be done", got.body)
        self.submit("/actions", action="purge", images=IMAGE)
        self.assertIn("failed", self.read("/jobs/1"))
        self.assertEqual(self.submit("/actions", action="odd").status, 400)

    def test_offline(self) -> None:
        """The two forms of one command."""
        self.submit("/actions", action="offline")
        self.assertTrue(self.house.offline.is_on)
        self.submit("/actions", action="online")
        self.assertFalse(self.house.offline.is_on)
