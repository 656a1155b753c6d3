"""What a takeover asks of systemd."""

from __future__ import annotations

import subprocess
from typing import Protocol

import attrs

from txregistry.adopt.plan import UnitState

#: Seconds; a start waits until the service is ready, a stop until it has drained.
_PATIENCE = 300


class UnitFailed(Exception):
    """Systemd did not do what it was asked for; the message says why."""


class Units(Protocol):
    """Systemd, or what stands in for it in tests."""

    def state(self, unit: str) -> UnitState:
        """Give the state of a unit.

        :raise UnitFailed: systemd cannot be asked.
        """

    def call(self, verb: str, *units: str) -> None:
        """Start, stop, enable or disable units; or ``daemon-reload``.

        :raise UnitFailed: it did not happen.
        """

    def failed(self, unit: str) -> bool:
        """Tell if a service has ended in failure and is not tried again."""

    def log(self, unit: str) -> str:
        """Give the last lines that a service has logged."""


@attrs.frozen
class Systemctl:
    """Systemd of this machine, by its command."""

    command: str = "systemctl"

    def state(self, unit: str) -> UnitState:
        """Give the state of a unit."""
        names = ("LoadState", "ActiveState", "UnitFileState")
        shown = self._run("show", *(f"--property={name}" for name in names), unit)
        lines = (line.partition("=") for line in shown.splitlines())
        found = {name: value for name, _, value in lines}
        return UnitState(
            found.get("LoadState") == "loaded",
            # One that is tried again and again, as its port is taken, does not run.
            found.get("ActiveState") in ("active", "reloading"),
            found.get("UnitFileState", "").startswith("enabled"),
        )

    def call(self, verb: str, *units: str) -> None:
        """Let something be done."""
        if verb == "start":
            # Else a unit that failed too often is not started.
            _call([self.command, "reset-failed", *units])
        self._run(verb, *units)

    def failed(self, unit: str) -> bool:
        """Tell if a service has failed."""
        shown = self._run("show", "--property=ActiveState", "--value", unit)
        return shown.strip() in ("failed", "inactive")

    def log(self, unit: str) -> str:
        """Give the end of its journal."""
        command = ["journalctl", "--no-pager", "--quiet", "-n", "15", "-u", unit]
        try:
            return _call(command).stdout
        except OSError:
            return ""

    def _run(self, *arguments: str) -> str:
        command = [self.command, *arguments]
        told = " ".join(command)
        try:
            done = _call(command)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnitFailed(f"{told}: {error}") from error
        if done.returncode:
            raise UnitFailed(f"{told}: {done.stderr.strip() or done.returncode}")
        return done.stdout


def _call(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command, check=False, capture_output=True, text=True, timeout=_PATIENCE
    )
