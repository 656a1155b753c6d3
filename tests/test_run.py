"""The parts of ``make test`` leave nothing out, and what fails in one is told."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import run

RULE = "=" * 79
PASSED = "Ran 3 tests in 1.5s\n\nPASSED (successes=3)\n"
SKIPPED = f"\n{RULE}\n[SKIPPED]\nno peer\n\nRan 1 tests in 0s\n\nPASSED (skips=1)\n"
FAILED = (
    f"\n{RULE}\n[FAIL]\nwhy\n\nRan 2 tests in 9s\n\nFAILED (failures=1, successes=1)\n"
)


def saying(text: str, status: int = 0, counts: bool = True) -> run.Part:
    """Give a part that says something and ends."""
    program = f"import sys\nprint({text!r})\nsys.exit({status})"
    return run.Part(f"part{status}{len(text)}", ("-c", program), counts)


class PartTests(SynchronousTestCase):
    """What the parts are."""

    def test_each_module_is_in_one_part(self) -> None:
        """All that is a test by its name is run once."""
        parts = [*run.integration(), *run.unit()]
        given = [word for part in parts for word in part.arguments]
        named = sorted(word for word in given if word.startswith("tests."))
        there = sorted(
            ".".join(path.relative_to(run.TOP.parent).with_suffix("").parts)
            for path in run.TOP.rglob("test_*.py")
        )
        self.assertEqual(named, there)
        self.assertEqual(len({part.name for part in parts}), len(parts))

    def test_coverage_is_of_unit_tests(self) -> None:
        """Only they are measured, and of them all but those that are named."""
        found: dict[bool, set[str]] = {True: set(), False: set()}
        for part in run.unit():
            names = {word for word in part.arguments if word.startswith("tests.")}
            found["coverage" in part.arguments] |= names
        self.assertIn("tests.hostile.test_memory", found[False])
        self.assertIn("tests.web.test_upload_model", found[False])
        self.assertGreater(len(found[True]), 10 * len(found[False]))
        others = ["coverage" in part.arguments for part in run.integration()]
        self.assertEqual(set(others), {False})

    def test_nothing_is_named_in_vain(self) -> None:
        """What is not measured is there."""
        for pattern in run.UNMEASURED:
            self.assertTrue([*run.TOP.glob(pattern)], pattern)


class RunTests(SynchronousTestCase):
    """What is told of them."""

    def setUp(self) -> None:
        self.out = io.StringIO()
        self.patch(sys, "stdout", self.out)

    def run_parts(self, *parts: run.Part) -> int:
        """Run them two at a time, and check that the sum is kept."""
        status = run.run(parts, 2)
        self.total = Path("_trial_temp/total").read_text()
        self.assertTrue(self.out.getvalue().endswith(self.total))
        return status

    def test_numbers_are_summed(self) -> None:
        """All that passes is told in a line each, and one of the sum."""
        parts = saying(PASSED), saying(f"a\n{PASSED}"), saying("fine", counts=False)
        self.assertEqual(self.run_parts(*parts), 0)
        self.assertRegex(self.total, r"^Ran 6 tests in 3 parts in .*: successes=6\n$")
        self.assertEqual(len(self.out.getvalue().splitlines()), 4)

    def test_cpu_time_is_told(self) -> None:
        """Each part's own."""
        run.LOGS.mkdir(exist_ok=True)
        used = "while __import__('time').process_time() < 0.6: pass"
        busy, quiet = (run.Part("one", ("-c", x), False).run() for x in (used, "1"))
        self.assertGreater(busy.cpu, 0.5)
        self.assertLess(quiet.cpu, 0.5)
        self.assertRegex(str(busy), r"ok  +\d+ s +1 s CPU  +0 tests  one\n")

    def test_failure_is_shown(self) -> None:
        """What failed is told with the reason, and again by its name."""
        self.assertEqual(self.run_parts(saying(PASSED), saying(FAILED, 1)), 1)
        self.assertIn("[FAIL]\nwhy\n", self.out.getvalue())
        self.assertRegex(self.total, r"^FAILED: part1\d+\nRan 5 tests .*failures=1, ")

    def test_skip_is_shown(self) -> None:
        """What was skipped is told with the reason, and is no failure."""
        self.assertEqual(self.run_parts(saying(SKIPPED)), 0)
        self.assertIn("no peer", self.out.getvalue())
        self.assertIn("skips=1", self.total)

    def test_end_before_the_end(self) -> None:
        """A process that ends without a number has failed; all it said is shown."""
        self.assertEqual(self.run_parts(saying("I go")), 1)
        self.assertIn("I go", self.out.getvalue())
        self.assertIn("FAILED: part", self.total)

    def test_failure_without_numbers(self) -> None:
        """A check that counts nothing fails by its status."""
        self.assertEqual(self.run_parts(saying("wrong", 2, counts=False)), 1)
        self.assertIn("wrong", self.out.getvalue())


class TargetTests(SynchronousTestCase):
    """The Makefile, as in a clone where nothing is installed yet."""

    def test_tools_of_scripts(self) -> None:
        """Whatever runs in .venv what is under ``tests`` has installed their tools."""
        top = run.TOP.parent
        found = []
        rule = re.compile(r"^([\w-]+):([^=\n]*)\n((?:\t.*\n)+)", re.MULTILINE)
        for name, needs, recipe in rule.findall((top / "Makefile").read_text()):
            scripts = [top / path for path in re.findall(r"scripts/[\w-]+", recipe)]
            texts = [
                recipe.replace("$(BIN)", ".venv/bin"),
                *map(Path.read_text, scripts),
            ]
            if any(".venv/bin/python" in x and " tests." in x for x in texts):
                found.append(name)
                self.assertRegex(needs, r"\$\(VENV\)/tools|lint", name)
        self.assertLessEqual({"adopt-test", "deb-test", "unit"}, {*found})
