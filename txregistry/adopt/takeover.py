"""Do the steps of a takeover, one after the other, and undo them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import attrs

from txregistry.adopt.journal import (
    APPLIED,
    BACKING,
    AdoptJournal,
    AdoptRecord,
    sync_directory,
    write_durably,
)
from txregistry.adopt.probe import NoAnswer, wait
from txregistry.adopt.steps import (
    AwaitAnswer,
    DisableUnit,
    EnableUnit,
    ReadUnits,
    StartUnits,
    Step,
    StopUnits,
    WriteFile,
)
from txregistry.adopt.units import UnitFailed, Units

#: Added to a file of ours that somebody has changed since, when it is taken back.
_CHANGED = ".adopted"


class StepFailed(Exception):
    """A step was not done; the message says which and why."""


@attrs.define
class Hands:
    """Does single steps, each of which may be done twice.

    :ivar wait: see :func:`probe.wait`.
    """

    units: Units
    wait: Callable[..., None] = wait

    def do(self, step: Step) -> None:
        """Do a step.

        :raise StepFailed: it was not done.
        """
        try:
            self._do(step)
        except (UnitFailed, NoAnswer, OSError) as error:
            raise StepFailed(f"{step}: {error}") from error

    def _do(self, step: Step) -> None:
        match step:
            case WriteFile():
                _write(step)
            case ReadUnits():
                self.units.call("daemon-reload")
            case StopUnits(units):
                self.units.call("stop", *units)
            case DisableUnit():
                self.units.call("disable", step.unit)
            case EnableUnit():
                self.units.call("enable", step.unit)
            case StartUnits(units):
                self.units.call("start", *units)
            case AwaitAnswer():
                self._await(step)

    def _await(self, step: AwaitAnswer) -> None:
        def has_failed() -> bool:
            return self.units.failed(step.unit)

        self.wait(step.probe, has_failed, step.patience, time.monotonic, time.sleep)

    def undo(self, step: Step) -> None:
        """Undo a step, or what was done of it.

        :raise StepFailed: it was not undone.
        """
        try:
            self._undo(step)
        except (UnitFailed, OSError) as error:
            raise StepFailed(f"undo: {step}: {error}") from error

    def _undo(self, step: Step) -> None:
        match step:
            case WriteFile():
                _take_back(step)
            case ReadUnits():
                self.units.call("daemon-reload")
            case StopUnits(_, active) if active:
                self.units.call("start", *active)
            case DisableUnit(unit, True):
                self.units.call("enable", unit)
            case EnableUnit(unit, False):
                self.units.call("disable", unit)
            case StartUnits(units):
                self.units.call("stop", *units)


def _write(step: WriteFile) -> None:
    path = Path(step.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if step.kept and not os.path.lexists(step.kept):
        # A second name first, so that there is never a moment without the file.
        os.link(path, step.kept, follow_symlinks=False)
    owner = (step.uid, step.gid) if os.geteuid() == 0 else None
    write_durably(path, step.content.encode("utf-8"), step.mode, owner)


def _take_back(step: WriteFile) -> None:
    path, kept = Path(step.path), Path(step.kept or os.devnull)
    if step.kept and not os.path.lexists(kept):
        return  # it was not written yet, or is taken back already
    _keep_if_changed(step, path)
    if step.kept and path.exists() and path.samefile(kept):
        kept.unlink()  # renaming one name of a file to another does nothing
    elif step.kept:
        kept.rename(path)
    else:
        path.unlink(missing_ok=True)
        _remove_empty(path.parent)
    if path.parent.exists():
        sync_directory(path.parent)


def _keep_if_changed(step: WriteFile, path: Path) -> None:
    if not path.exists() or (step.kept and path.samefile(step.kept)):
        return
    if path.read_bytes() != step.content.encode("utf-8"):
        os.replace(path, path.with_name(path.name + _CHANGED))


def _remove_empty(directory: Path) -> None:
    """Remove a directory of drop-ins that we have left empty."""
    is_ours = directory.name.endswith(".d") and directory.is_dir()
    if is_ours and not any(directory.iterdir()):
        directory.rmdir()


@attrs.define
class Takeover:
    """Takes over and gives back, by a journal.

    :ivar tell: called with a line for each step.
    """

    journal: AdoptJournal
    hands: Hands
    tell: Callable[[str], None]

    def apply(self, record: AdoptRecord) -> None:
        """Do all steps; those that are done already, once more.

        Whoever ended an earlier attempt may have changed what it had done: a machine
        that was restarted runs other units.

        :raise StepFailed: the first that failed; nothing was undone.
        """
        for number, step in enumerate(record.steps, 1):
            record = attrs.evolve(record, begun=max(record.begun, number))
            self._save(record)
            self.tell(str(step))
            self.hands.do(step)
        self._save(attrs.evolve(record, state=APPLIED))

    def _save(self, record: AdoptRecord) -> None:
        try:
            self.journal.save(record)
        except OSError as error:
            raise StepFailed(f"the journal cannot be written: {error}") from error

    def back(self, record: AdoptRecord) -> list[str]:
        """Undo the steps that were begun, the last first.

        :return: what went wrong; the journal is kept then, to try again.
        """
        with suppress(OSError):
            # On a full disk it is undone all the same.
            self.journal.save(attrs.evolve(record, state=BACKING))
        problems = []
        for step in reversed(record.steps[: record.begun]):
            self.tell(f"undo: {step}")
            try:
                self.hands.undo(step)
            except StepFailed as error:
                problems.append(str(error))
        if not problems:
            self.journal.forget()
        return problems

    def await_old(self, record: AdoptRecord) -> None:
        """Wait until the old service answers again, if it ran.

        :raise StepFailed: it does not.
        """
        old = (record.old_unit,)
        ran = StopUnits(old, old) in record.steps
        for step in record.steps if ran else ():
            if isinstance(step, AwaitAnswer):
                self.hands.do(attrs.evolve(step, unit=record.old_unit))
