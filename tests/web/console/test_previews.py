"""What actions would do."""

from __future__ import annotations

from typing import Any

from tests.web.console.cases import ConsoleCase
from txregistry.interfaces.commands import CommandRefused
from txregistry.spec.errors import BadRequest, NotFound
from txregistry.web.console.previews import MAX_IMAGES, Previews

IMAGE = "corp/org/app:v1"


class PreviewsTests(ConsoleCase):
    """In words, and nothing is changed."""

    def says(self, action: str, **options: Any) -> list[str]:
        asked = sum(map(self.asked, self.several.houses))
        found = self.house.settle(Previews(self.sources).says(action, options))
        self.assertEqual(sum(map(self.asked, self.several.houses)), asked)
        return found

    def test_warm_and_refresh(self) -> None:
        """What is not here has to be fetched."""
        self.assertEqual(
            self.says("warm", images=[IMAGE]),
            ["corp/org/app:v1: asks corp.example:5000 and fetches all of it"],
        )
        self.warm(IMAGE, "linux/amd64")
        (line,) = self.says("warm", images=[IMAGE])
        self.assertIn("fetches at least 2 parts", line)
        self.warm(IMAGE)
        (line,) = self.says("warm", images=[IMAGE])
        self.assertIn("all of it is here", line)
        (line,) = self.says("refresh", images=[IMAGE])
        self.assertIn(f"now it is {self.explain(IMAGE).digest}", line)
        (line,) = self.says("refresh", images=["corp/org/none:v1"])
        self.assertIn("now nothing of it is here", line)

    def test_purge(self) -> None:
        """What nothing else needs."""
        self.warm(IMAGE)
        (line,) = self.says("purge", images=[IMAGE])
        self.assertEqual(
            line,
            f"{IMAGE}: removes 1 tag, 4 manifests and 7 blobs that nothing else needs",
        )
        self.assertNotEqual(self.explain(IMAGE).digest, "")
        self.assertRaises(
            CommandRefused, self.says, "purge", images=["corp/org/none:v1"]
        )

    def test_pins(self) -> None:
        """Whether anything would change."""
        self.assertIn("keeps all images", self.says("pin", pattern="corp/**")[0])
        self.assertIn("is not pinned", self.says("unpin", pattern="corp/**")[0])
        self.house.settle(self.house.pin_list.pin(pattern="corp/**"))
        self.assertIn("pinned already", self.says("pin", pattern="corp/**")[0])
        self.assertIn("may go", self.says("unpin", pattern="corp/**")[0])

    def test_offline(self) -> None:
        """What would pull then."""
        self.survey.stopService()
        lines = self.says("offline", on=True)
        self.assertEqual(lines[0], "asks none of 1 upstream; downloads under way end")
        self.assertIn("not known yet", lines[1])
        self.survey.startService()
        self.says("offline", on=True)
        self.assertIn("0 of 0 tags would pull", self.says("offline", on=True)[1])
        self.assertEqual(self.says("offline", on=False), ["nothing changes"])
        self.house.offline.switch(True)
        self.assertEqual(self.says("offline", on=False), ["upstreams are asked again"])

    def test_whole_storage(self) -> None:
        """Reading all of it; a collection has a dry run of its own, with progress."""
        self.warm(IMAGE)
        self.sources.commands["verify"] = self.sources.commands["warm"]
        (line,) = self.says("verify")
        self.assertRegex(line, r"reads all that is stored, \d+(\.\d)? kB")
        previews = Previews(self.sources)
        for action, is_dry, asked in (
            ("verify", True, None),
            ("verify", False, {}),
            ("collect", True, {"dry_run": True}),
            ("collect", False, {}),
        ):
            self.assertEqual(previews.as_job(action, {}, is_dry), asked)
        with self.assertRaises(BadRequest):
            previews.as_job("verify", {"dry_run": True}, False)

    def test_refused(self) -> None:
        """What names no image, none, or too many."""
        for images in (None, "a", [], ["!"], [IMAGE] * (MAX_IMAGES + 1)):
            self.assertRaises(CommandRefused, self.says, "warm", images=images)
        for action, options in (
            ("warm", {"images": [IMAGE], "platforms": ["nonsense nonsense"]}),
            ("pin", {"pattern": ""}),
            ("unpin", {"pattern": ""}),
        ):
            self.assertRaises(CommandRefused, self.says, action, **options)
        self.assertRaises(NotFound, self.says, "reload")
        self.assertRaises(NotFound, self.says, "verify")
        self.sources.commands["collect"] = self.sources.commands["warm"]
        self.assertRaises(CommandRefused, self.says, "collect")

    def test_whole_repositories(self) -> None:
        """What is removed with all that is in it."""
        says = self.says("purge", repositories=["corp/org/app"], upstreams=["corp"])
        self.assertEqual(says[0], "removes all that is cached of corp/org/app")
        self.assertEqual(len(says), 2)
