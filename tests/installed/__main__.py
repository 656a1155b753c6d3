"""Try the package on one release: a line for each step, the journal if one fails."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import chain

from tests.installed.images import MIB, Images
from tests.installed.machine import Machine, Network, Upstream
from tests.installed.processes import Processes
from tests.installed.shell import Failed
from tests.installed.steps import Steps
from tests.installed.takeover import Takeover
from tests.installed.trees import TOP, Trees


def main() -> None:
    """Build, boot, and go through the steps."""
    parser = argparse.ArgumentParser(prog="scripts/deb-test")
    parser.add_argument("release", choices=("bookworm", "trixie"))
    parser.add_argument(
        "--reuse", action="store_true", help="take the packages that are built already"
    )
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("this needs root: it boots a tree of Debian")
    # Whatever ends us, what we started ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    trees = Trees(TOP / ".deb-test" / options.release, options.release)
    trees.place.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            go(trees, options.reuse, stack)
        except Failed as error:
            say(f"FAILED: {error}")
            raise SystemExit(1) from error


def go(trees: Trees, reuse: bool, stack: ExitStack) -> None:
    """Do all of it; what has to end is on the stack."""
    if not (reuse and trees.packages.exists()):
        step(trees.release, "build", lambda: build(trees))
    work = trees.place / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    stack.callback(shutil.rmtree, work, ignore_errors=True)
    network = Network()
    stack.callback(network.end)
    network.begin()
    upstream, images = Upstream(work, network), Images(work, network)
    stack.callback(upstream.end)
    upstream.begin()
    for name, size in (("small", MIB), ("medium", 8 * MIB), ("large", 80 * MIB)):
        images.push(name, size)
    stack.callback(trees.discard, "machine")
    machine = Machine(trees.prepare(), network)
    stack.callback(machine.halt)
    machine.boot()
    try:
        several = Processes(machine, upstream, images).all()
        steps = chain(Steps(machine, upstream, images).all(), several)
        for name, act in chain(steps, Takeover(machine, images).all()):
            step(trees.release, name, act)
    except BaseException:
        told = machine.attempt("journalctl", "--no-pager", "-n", "300")
        say(told.stdout)
        raise


def build(trees: Trees) -> str:
    """Build; give the size."""
    trees.build()
    size = (trees.packages / "txregistry.deb").stat().st_size
    return f"{size / MIB:.1f} MiB, equal when built again elsewhere"


def step(release: str, name: str, act: Callable[[], str]) -> None:
    """Do one, and tell how it went in a line."""
    began = time.monotonic()
    try:
        told = act()
    except BaseException:
        say(f"{release}: {name}: FAILED")
        raise
    say(f"{release}: {name}: {told} ({time.monotonic() - began:.0f} s)")


def say(text: str) -> None:
    """Write at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
