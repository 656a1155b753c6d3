"""A systemd that is a dictionary, and a plan for a directory of a test."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import attrs

from txregistry.adopt.plan import PlanFacts, UnitState
from txregistry.adopt.probe import Probe
from txregistry.adopt.units import UnitFailed

OLD = "docker-registry.service"
OURS = "txregistry.service"
SOCKET = "txregistry.socket"


@attrs.define
class FakeUnits:
    """Units by their names.

    :ivar calls: verbs and units, in order.
    :ivar refused: the call that fails.
    :ivar before: called before each call.
    """

    states: dict[str, UnitState] = attrs.field(factory=dict)
    calls: list[str] = attrs.field(factory=list)
    refused: str = ""
    before: Callable[[str], None] = lambda call: None

    def state(self, unit: str) -> UnitState:
        return self.states.get(unit, UnitState())

    def call(self, verb: str, *units: str) -> None:
        call = " ".join((verb, *units))
        self.before(call)
        self.calls.append(call)
        if call == self.refused:
            raise UnitFailed("systemd does not want to")
        for unit in units:
            self.states[unit] = attrs.evolve(self.state(unit), **_CHANGES[verb])

    def failed(self, unit: str) -> bool:
        return not self.state(unit).is_active

    def log(self, unit: str) -> str:
        return "what it said last"


_CHANGES = {
    "start": {"is_active": True},
    "stop": {"is_active": False},
    "enable": {"is_enabled": True},
    "disable": {"is_enabled": False},
}

IDLE = UnitState(True, False, False)
RUNNING = UnitState(True, True, True)


def facts(**changes: object) -> PlanFacts:
    """Give the facts of Debian's package as it is installed."""
    plain = PlanFacts(
        old_unit=OLD,
        old=RUNNING,
        service=IDLE,
        socket=UnitState(),
        source="/etc/docker/registry/config.yml",
        config="version: 0.1\n",
        mode=0o644,
        uid=os.getuid(),
        gid=os.getgid(),
        user="docker-registry",
        group="docker-registry",
        umask="",
        directory="",
        environment={},
        root="/var/lib/docker-registry",
        reads=(),
        ports=(5000,),
        probe=Probe("tcp", ":5000"),
        patience=60.0,
        has_group=True,
        kept={},
    )
    return attrs.evolve(plain, **changes)


def write(path: Path, content: str = "") -> Path:
    """Write a file, and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path
