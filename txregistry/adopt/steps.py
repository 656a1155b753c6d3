"""The steps of a takeover, as values that a journal keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from txregistry.adopt.probe import Probe


@attrs.frozen
class WriteFile:
    """Write a file; undone, what was there before is there again.

    :ivar kept: where the file that was there is kept; empty if there was none.
    """

    path: str
    content: str
    mode: int
    uid: int
    gid: int
    kept: str = ""

    def __str__(self) -> str:
        kept = f", keeping what is there as {self.kept}" if self.kept else ""
        return f"write {self.path}{kept}"


@attrs.frozen
class ReadUnits:
    """Let systemd read its units again."""

    def __str__(self) -> str:
        return "let systemd read its units again"


@attrs.frozen
class StopUnits:
    """Stop units; undone, those run that ran."""

    units: tuple[str, ...]
    active: tuple[str, ...]

    def __str__(self) -> str:
        return f"stop {' and '.join(self.units)}"


@attrs.frozen
class DisableUnit:
    """Disable a unit; undone, it is enabled if it was."""

    unit: str
    was_enabled: bool

    def __str__(self) -> str:
        return f"disable {self.unit}"


@attrs.frozen
class EnableUnit:
    """Enable a unit; undone, it is disabled unless it was enabled before."""

    unit: str
    was_enabled: bool

    def __str__(self) -> str:
        return f"enable {self.unit}"


@attrs.frozen
class StartUnits:
    """Start units that were stopped; undone, they are stopped.

    A socket and its service are stopped by one command: a socket that is left to the
    end starts its service for whoever connects meanwhile, which then keeps the port.
    """

    units: tuple[str, ...]

    def __str__(self) -> str:
        return f"start {' and '.join(self.units)}"


@attrs.frozen
class AwaitAnswer:
    """Wait until the registry answers.

    :ivar unit: whose failure ends the waiting.
    """

    unit: str
    probe: Probe
    patience: float

    def __str__(self) -> str:
        return f"wait until {self.probe.url} answers, {self.patience:g} s at most"


Step = (
    WriteFile
    | ReadUnits
    | StopUnits
    | DisableUnit
    | EnableUnit
    | StartUnits
    | AwaitAnswer
)

_KINDS: Mapping[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        WriteFile,
        ReadUnits,
        StopUnits,
        DisableUnit,
        EnableUnit,
        StartUnits,
        AwaitAnswer,
    )
}


def to_json(step: Step) -> dict[str, Any]:
    """Give a step as a JSON object."""
    return {"step": type(step).__name__, **attrs.asdict(step)}


def from_json(document: Mapping[str, Any]) -> Step:
    """Read a step.

    :raise ValueError: it is none.
    """
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in document.items()
    }
    try:
        if "probe" in fields:
            fields["probe"] = Probe(**fields["probe"])
        step: Step = _KINDS[fields.pop("step")](**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"is no step: {error}") from error
    return step
