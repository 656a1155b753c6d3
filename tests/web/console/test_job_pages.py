"""Pages of actions under way and ended."""

from __future__ import annotations

from tests.web.console.cases import PageCase
from txregistry.web.console.frame import flatten
from txregistry.web.console.job_pages import job_part
from txregistry.web.console.jobs import Job

IMAGE = "corp/org/app:v1"


class JobPageTests(PageCase):
    """How far they are, and what they did."""

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
