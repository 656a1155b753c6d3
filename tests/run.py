"""Run the tests in several processes side by side, and tell how it went.

``python -m tests.run [-j NUMBER] types unit integration``, from the top of a checkout.

Each part is a process of its own: mypy, or trial with a few modules. What it says goes
to a file in ``_trial_temp``, with the seconds that each test took. What is shown is its
time and what of it was CPU time, what failed and what was skipped, and last the sum of
all. The status is 1 if any part failed.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import attrs

TOP = Path(__file__).parent
LOGS = Path("_trial_temp")

#: Parts that run side by side: one more than processors, as parts wait for a quarter of
#: their time.
AT_ONCE = (os.cpu_count() or 2) + 1

#: Bytes of modules that make a part, of unit tests and of those with other processes:
#: enough that its imports, two seconds of CPU time, cost little, and not so much that
#: all others wait for the last one.
UNIT_BYTES, INTEGRATION_BYTES = 240_000, 20_000

#: Tests that try much of the same, compare how long something takes, or read modules
#: rather than run them. What they cover is covered by others; to measure it makes them
#: half as long again, or wrong.
UNMEASURED = (
    "config/test_schema.py",
    "config/test_shapes.py",
    "hostile/*",
    "storagedriver/filesystem/journal/test_records.py",
    "storagedriver/filesystem/test_power.py",
    "test_docs.py",
    "test_light.py",
    "test_log_*.py",
    "test_mirror.py",
    "test_packaging.py",
    "test_pages.py",
    "test_rooms.py",
    "web/test_malformed.py",
    "web/test_*_model.py",
)

TRIAL = ("-m", "twisted.trial", "--reporter=timing")


@attrs.frozen
class Part:
    """What one process does.

    :ivar counts: whether it tells how many tests it ran.
    """

    name: str
    arguments: tuple[str, ...]
    counts: bool = True

    def run(self) -> Result:
        """Run it to its end, with all it says in its log."""
        began = time.monotonic()
        log = LOGS / f"{self.name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                (sys.executable, *self.arguments),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TXREGISTRY_INTEGRATION": "1"},
            )
        # Of all ways to wait, only this one tells what was used.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return Result(
            self,
            process.returncode,
            log.read_text("utf-8", "replace"),
            seconds=time.monotonic() - began,
            cpu=used.ru_utime + used.ru_stime,
        )


@attrs.frozen
class Result:
    """How a part ended.

    :ivar cpu: seconds of CPU of it and of all that it has waited for.
    """

    part: Part
    status: int
    text: str
    seconds: float
    cpu: float

    @property
    def ran(self) -> int:
        """How many tests ran; none if trial did not come to its end."""
        found = re.findall(r"^Ran (\d+) tests? in ", self.text, re.M)
        return int(found[-1]) if found else 0

    @property
    def failed(self) -> bool:
        return self.status != 0 or (self.part.counts and not self.ran)

    @property
    def outcomes(self) -> Counter[str]:
        """How many tests ended how, in trial's words: ``successes``, ``skips``, …"""
        found = re.findall(r"^(?:PASSED|FAILED) \((.*)\)$", self.text, re.M)
        pairs = [pair.split("=") for pair in found[-1].split(", ")] if found else []
        return Counter({what: int(number) for what, number in pairs})

    @property
    def told(self) -> str:
        """What is worth reading of a log."""
        _, rule, details = self.text.partition("\n" + "=" * 79 + "\n")
        if rule:
            return details
        return self.text if self.failed else ""

    def __str__(self) -> str:
        word = "FAILED" if self.failed else "ok"
        took = f"{self.seconds:4.0f} s {self.cpu:4.0f} s CPU"
        head = f"{word:6} {took} {self.ran:5} tests  {self.part.name}\n"
        return head + self.told


def trial(name: str, modules: Iterable[Path], before: Sequence[str] = ()) -> Part:
    """Give the part of some modules."""
    place = f"--temp-directory={LOGS / name}"
    dotted = [
        ".".join(module.relative_to(TOP.parent).with_suffix("").parts)
        for module in modules
    ]
    return Part(name, (*before, *TRIAL, place, *dotted))


def modules_of(directory: Path) -> list[Path]:
    """Give the modules of tests in a directory and below, sorted."""
    return sorted(directory.rglob("test_*.py"))


def integration() -> Iterator[Part]:
    """Few modules at a time: they take longer than their size tells."""
    modules = modules_of(TOP / "integration")
    for bundle in bundles(modules, INTEGRATION_BYTES):
        yield trial(f"integration.{bundle[0].stem}", bundle)


def unit() -> Iterator[Part]:
    """All other modules, many at a time, and of most of them what they cover."""
    others = set(modules_of(TOP)) - set(modules_of(TOP / "integration"))
    unmeasured = {x for pattern in UNMEASURED for x in TOP.glob(pattern)} & others
    for modules, before in (
        (unmeasured, ()),
        (others - unmeasured, ("-m", "coverage", "run")),
    ):
        for bundle in bundles(sorted(modules), UNIT_BYTES):
            yield trial(
                f"unit.{bundle[0].parent.name}.{bundle[0].stem}", bundle, before
            )


def bundles(modules: Iterable[Path], size: int) -> Iterator[list[Path]]:
    """Put modules together that are worth a process: more bytes than a size."""
    bundle: list[Path] = []
    for module in modules:
        bundle.append(module)
        if sum(x.stat().st_size for x in bundle) > size:
            yield bundle
            bundle = []
    if bundle:
        yield bundle


def types() -> Iterator[Part]:
    """The types."""
    yield Part("types", ("-m", "mypy"), counts=False)


KINDS = {"types": types, "integration": integration, "unit": unit}


def summary(results: Sequence[Result], seconds: float) -> str:
    """Sum up in a line, after the names of those that failed.

    The CPU time is that of all processes that were waited for, daemons included.
    """
    failed = sorted(f"FAILED: {x.part.name}\n" for x in results if x.failed)
    ran = sum(result.ran for result in results)
    outcomes = sum((result.outcomes for result in results), Counter[str]())
    how = ", ".join(f"{what}={number}" for what, number in sorted(outcomes.items()))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = f"{seconds:.0f} s, with {used.ru_utime + used.ru_stime:.0f} s of CPU"
    total = f"Ran {ran} tests in {len(results)} parts in {took}: {how}\n"
    return "".join([*failed, total])


def run(parts: Sequence[Part], at_once: int) -> int:
    """Run parts, the first ones first; tell of each as it ends; give the status."""
    LOGS.mkdir(exist_ok=True)
    began = time.monotonic()
    results = []
    pool = ThreadPoolExecutor(at_once)
    try:
        for done in as_completed([pool.submit(part.run) for part in parts]):
            results.append(done.result())
            say(str(results[-1]))
    finally:
        # Whoever interrupts does not want the rest.
        pool.shutdown(cancel_futures=True)
    total = summary(results, time.monotonic() - began)
    say(total)
    (LOGS / "total").write_text(total)
    return int(any(result.failed for result in results))


def say(text: str) -> None:
    """Write at once, for whoever waits."""
    sys.stdout.write(text)
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the kinds that are named, the longest parts first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-j", type=int, default=AT_ONCE, help="at once")
    parser.add_argument("kinds", nargs="+", choices=KINDS)
    options = parser.parse_args(argv)
    parts = [x for kind in KINDS if kind in options.kinds for x in KINDS[kind]()]
    return run(parts, options.j)


if __name__ == "__main__":
    sys.exit(main())
