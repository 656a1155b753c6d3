"""Commands: what they say when they fail."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

#: Seconds for any one command: a build takes a quarter of them on a busy machine.
PATIENCE = 3600.0

#: Of what a command says, shown when it fails.
LINES = 40


class Failed(Exception):
    """Something is not as it should be."""


def run(*argv: str | Path, **options: object) -> str:
    """Run a command; give what it says, both streams together.

    :raise Failed: with the end of that.
    """
    done = attempt(*argv, **options)
    if done.returncode:
        command = " ".join(map(str, argv))
        end = "\n".join(done.stdout.splitlines()[-LINES:])
        raise Failed(f"{command}: status {done.returncode}\n{end}")
    return done.stdout


def attempt(*argv: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail.

    :raise Failed: it does not end.
    """
    try:
        return subprocess.run(
            list(map(str, argv)),
            check=False,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            **options,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(str(error)) from error


def until(what: str, is_so: Callable[[], object], seconds: float = 120) -> float:
    """Wait until something is so; give the seconds that it took.

    :raise Failed: it is not in time.
    """
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > seconds:
            raise Failed(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - began


def check(is_so: object, why: str) -> None:
    """Fail unless something is so."""
    if not is_so:
        raise Failed(why)
