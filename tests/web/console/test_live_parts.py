"""What is kept up to date of pages."""

from __future__ import annotations

from twisted.logger import Logger

from tests.web.console.cases import LiveCase

IMAGE = "corp/org/app:v1"


class LivePartsTests(LiveCase):
    """Events of pages, as scripts get them."""

    def happen(self, namespace: str, text: str) -> None:
        Logger(namespace=namespace, observer=self.publisher).info(text)

    def test_overview(self) -> None:
        """What is wrong is said as well, for those who listen."""
        line = self.listen("/live")
        self.problems["storage"] = "broken"
        self.wait()
        said = [event["said"] for event in self.events(line)]
        self.assertEqual(said, ["All is well", "Something is wrong: storage: broken"])

    def test_events(self) -> None:
        """What happens is told, of the chosen kinds; else nothing is looked at."""
        every, failed = self.listen("/activity/live"), "/activity/live?kind=failed"
        chosen = self.listen(failed)
        self.wait()
        self.happen("txregistry.proxy", "one")
        self.wait()
        self.wait()
        self.happen("txregistry.proxy.download", "two")
        self.wait()
        found = [event["html"] for event in self.events(every)]
        self.assertEqual(
            [("one" in html, "two" in html) for html in found],
            [(False, False), (True, False), (True, True)],
        )
        found = [event["html"] for event in self.events(chosen)]
        self.assertEqual(["two" in html for html in found], [False, True])
        self.assertIn(b":\n\n", every.received)
        self.assertEqual(self.visit("/activity/live?kind=odd").status, 400)

    def test_jobs(self) -> None:
        """The list, and one action until it has ended."""
        jobs = self.listen("/actions/live")
        self.submit("/actions", action="collect")
        self.assertIn('data-live="/jobs/1/live"', self.page("/jobs/1"))
        job = self.listen("/jobs/1/live")
        self.wait()
        self.wait()
        self.sources.commands["collect"].end(blobs_deleted=2)
        self.wait()
        found = [(event["said"], event["last"]) for event in self.events(job)]
        self.assertEqual(found, [("collect running", False), ("collect done", True)])
        self.assertIn("deleted 2 blobs", self.events(job)[1]["html"])
        self.assertNotIn("data-live", self.page("/jobs/1"))
        html = [event["html"] for event in self.events(jobs)]
        found = [("job running" in each, "job done" in each) for each in html]
        self.assertEqual(found, [(False, False), (True, False), (False, True)])
        self.assertEqual(self.visit("/jobs/7/live").status, 404)

    def test_how_long_ago(self) -> None:
        """It is told anew now and then, though nothing happens."""
        self.submit("/actions", action="collect")
        lines = [self.listen("/actions/live"), self.listen("/jobs/1/live")]
        for _ in range(20):
            self.wait()
        for line in lines:
            self.assertIn("seconds ago", self.events(line)[-1]["html"])
            self.assertLess(len(self.events(line)), 4)
