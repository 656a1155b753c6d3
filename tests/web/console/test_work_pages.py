"""Pages of what happened and of what can be done."""

from __future__ import annotations

from twisted.logger import Logger

from tests.web.console.cases import PageCase, Reader
from txregistry.web.console.frame import flatten
from txregistry.web.console.jobs import Job
from txregistry.web.console.views import EVENTS
from txregistry.web.console.work_pages import job_part

IMAGE = "corp/org/app:v1"


class WorkTests(PageCase):
    """The last events, and forms."""

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
        self.assertIn(f"<li>{IMAGE}: 11 of 11 parts fetched", text)
        self.assertIn("warm 1", self.read("/actions"))

    def test_stop(self) -> None:
        """An action under way has a button that ends it."""
        self.several.upstream("corp").rate = 100
        self.submit("/actions", action="warm", images=IMAGE)
        self.assertIn("Stop it", self.read("/jobs/1"))
        got = self.submit("/jobs/1/stop")
        self.assertEqual(got.status, 303)
        self.assertIn("stopped", self.read("/jobs/1"))

    def test_a_long_dry_run(self) -> None:
        """It has progress, then it tells, and the next form does it."""
        collecting = self.sources.commands["collect"]
        fields = {"action": "collect", "delete_untagged": "1"}
        got = self.submit("/actions", **fields, dry_run="1")
        self.assertEqual((got.status, got.header("Location")), (303, "/jobs/1"))
        text = self.read("/jobs/1")
        self.assertIn("1,200", text)
        self.assertIn("Stop it", text)
        self.assertIn("collect 1 (dry run)", self.read("/actions"))
        collecting.end(blobs_deleted=2, bytes_deleted=1500)
        text = self.read("/jobs/1")
        self.assertIn("would delete 2 blobs, 1.5 kB", text)
        self.assertIn("Do it", text)
        self.assertIn('name="delete_untagged" value="1"', text)
        self.assertNotIn('name="dry_run"', text)
        self.submit("/actions", **fields)
        self.assertEqual(collecting.asked[1], {"delete_untagged": True})
        collecting.end(blobs_deleted=2, bytes_deleted=1500)
        text = self.read("/jobs/2")
        self.assertIn("<li>deleted 2 blobs, 1.5 kB</li>", text)
        self.assertNotIn("Do it", text)

    def test_a_dry_run_of_more(self) -> None:
        """The form is not offered where it would do something else."""
        collecting = self.sources.commands["collect"]
        options = {"grace_seconds": 86400, "dry_run": True}
        self.post("/api/v1/jobs", {"action": "collect", "options": options})
        collecting.end(blobs_deleted=2)
        text = self.read("/jobs/1")
        self.assertIn("would delete 2 blobs", text)
        self.assertNotIn("Do it", text)

    def test_a_long_report(self) -> None:
        """What is long in it is cut, and only the last parts are shown."""
        collecting = self.sources.commands["collect"]
        self.submit("/actions", action="collect")
        job = self.site.services.services[0].job(1)
        for number in range(200):
            digest = f"sha256:{number:064}"
            job.tell({"digest": digest, "state": "here", "done": 1, "size": 1})
        digests = ["sha256:" + "a" * 64] * 1000
        collecting.end(deleted=digests, broken=digests)
        text = self.read("/jobs/1")
        self.assertLess(len(text), 60_000)
        self.assertIn("and 980 more", text)
        self.assertIn("The last 50 parts", text)

    def test_a_verification(self) -> None:
        """How far it is, as a share of all."""
        part = {"fraction": 0.25, "contents": 3, "size": 1500, "damaged": 1}
        job = Job(1, "verify", {}, "ann", 0.0)
        job.tell(part)
        text = self.house.settle(flatten(job_part(job.as_values(), "", 0.0))).decode()
        self.assertIn("1.5 kB read, 1 damaged", text)
        self.assertIn('width="25.0"', text)
        self.assertNotIn("Stop it", text)

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
