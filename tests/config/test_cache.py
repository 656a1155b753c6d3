"""The section ``cache``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.cache import CacheSection, check_cache, parse_minfree
from txregistry.config.check import check
from txregistry.config.read import read_config
from txregistry.spec.space import MinFree


class MinFreeTests(SynchronousTestCase):
    """A size or a percentage."""

    def test_read(self) -> None:
        """Both are read; nothing keeps nothing free."""
        self.assertEqual(parse_minfree("10%"), MinFree(percent=10.0))
        self.assertEqual(parse_minfree("2KiB"), MinFree(2048))
        self.assertEqual(parse_minfree("1000"), MinFree(1000))
        self.assertEqual(parse_minfree(""), MinFree())

    def test_neither(self) -> None:
        """Anything else is refused with an example."""
        for text in ("much", "100%", "-5", "5 percent"):
            with self.assertRaisesRegex(ValueError, "or 10%"):
                parse_minfree(text)


class CheckTests(SynchronousTestCase):
    """What cannot be meant."""

    def test_problems(self) -> None:
        """Each problem names its key."""
        wrong = CacheSection(minfree="x", pin=("a/b:*", "no good"))
        problems = check_cache(wrong, is_cache=True)
        self.assertEqual(
            [problem.partition(":")[0] for problem in problems],
            ["cache.minfree", "cache.pin[1]"],
        )

    def test_no_cache(self) -> None:
        """A registry has no cache to limit."""
        (problem,) = check_cache(CacheSection(onfull="refuse"), is_cache=False)
        self.assertIn("without an upstream", problem)
        self.assertEqual(check_cache(CacheSection(), is_cache=False), [])

    def test_choices(self) -> None:
        """There are two ways to be full."""
        proxy = {"remoteurl": "https://r.example"}
        base = {"version": "0.1", "storage": {"inmemory": {}}, "proxy": proxy}
        config, _ = read_config({**base, "cache": {"maxsize": "1MiB"}})
        self.assertEqual(config.cache.maxsize, 1024 * 1024)
        self.assertEqual(config.cache.onfull, "passthrough")
        self.assertEqual(check(config), [])
