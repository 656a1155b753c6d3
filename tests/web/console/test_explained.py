"""Images in words."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.console.explained import explained

NOW = 1000.0
AMD = {"platform": "linux/amd64", "digest": "d1", "bytes": 1, "missing": []}
ARM = {"platform": "linux/arm64", "digest": "d2", "bytes": 1, "missing": ["x", "y"]}
WIN = {"platform": "windows/amd64", "digest": "d3", "bytes": 1, "missing": ["d3"]}


class ExplainedTests(SynchronousTestCase):
    """What is here, what is asked, how long it stays."""

    CONFIRMED = (
        "corp confirmed the tag 10 seconds ago, and is not asked again for 50 seconds."
    )

    def said(self, **more: Any) -> list[str]:
        image = {
            "upstream": "corp",
            "is_local": False,
            "platforms": [AMD],
            "confirmed_at": NOW - 10,
            "fresh_until": NOW + 50,
            "stale_until": None,
            "last_use": NOW - 60,
            "expires_at": NOW + 86400,
        }
        return list(explained({**image, **more}, NOW))

    def test_all_of_it(self) -> None:
        """A tag that is here and fresh."""
        self.assertEqual(
            self.said(),
            [
                "All of it is here for linux/amd64.",
                self.CONFIRMED,
                "With the link down it is served for as long as it is here.",
                "It was last used 1 minute ago, and goes in 1 day if it is not used.",
            ],
        )

    def test_platforms(self) -> None:
        """Those that are here, those of which something is missing, and none."""
        two = self.said(platforms=[AMD, {**AMD, "platform": "linux/386"}, ARM, WIN])
        self.assertEqual(
            two[:2],
            [
                "All of it is here for linux/amd64 and linux/386.",
                "2 parts of linux/arm64 would have to be fetched.",
            ],
        )
        self.assertEqual(
            self.said(platforms=[WIN])[0], "None of its platforms is here."
        )
        one = {**AMD, "platform": ""}
        self.assertEqual(self.said(platforms=[one])[0], "All of it is here.")
        one = {**ARM, "platform": "", "missing": ["x"]}
        self.assertEqual(
            self.said(platforms=[one])[0], "1 part would have to be fetched."
        )

    def test_times(self) -> None:
        """What is old, too old, or stays."""
        for more, sentence in (
            ({"fresh_until": NOW - 1}, "and is asked at the next pull."),
            ({"stale_until": NOW + 120}, "is served for 2 minutes more."),
            ({"stale_until": NOW - 1}, "it is too old."),
            ({"expires_at": None}, "1 minute ago, and stays."),
            ({"confirmed_at": None}, "a digest always stands for the same."),
        ):
            self.assertIn(sentence, " ".join(self.said(**more)))
        self.assertEqual(len(self.said(last_use=None)), 3)

    def test_what_no_upstream_has(self) -> None:
        """A local image of a cache, and an image of a registry."""
        self.assertIn("until somebody deletes it", self.said(is_local=True)[-1])
        self.assertEqual(list(explained({"image": "a:b"}, NOW)), [])
