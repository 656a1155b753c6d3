"""Taking over and giving back, with a systemd that is a dictionary."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.adopt.fakes import (
    IDLE,
    OLD,
    OURS,
    RUNNING,
    SOCKET,
    FakeUnits,
    facts,
    write,
)
from txregistry.adopt.journal import (
    APPLIED,
    APPLYING,
    BACKING,
    AdoptJournal,
    AdoptRecord,
    JournalBroken,
)
from txregistry.adopt.plan import UnitState, make_plan
from txregistry.adopt.probe import NoAnswer
from txregistry.adopt.steps import Step, StopUnits, WriteFile
from txregistry.adopt.takeover import Hands, StepFailed, Takeover


class Killed(BaseException):
    """The process ends here."""


class TakeoverCase(SynchronousTestCase):
    """A configuration of ours that is there, and the old service, which runs."""

    def setUp(self) -> None:
        self.patch(os, "fsync", lambda file: None)  # nobody cuts the power here
        self.top = Path(self.mktemp())
        self.config = write(self.top / "etc/config.yml", "ours\n")
        self.inode = self.config.stat().st_ino
        self.units = FakeUnits({OLD: RUNNING, OURS: IDLE})
        self.before = dict(self.units.states)
        self.waited: list[str] = []
        self.answer: BaseException | None = None
        self.told: list[str] = []
        self.takeover = Takeover(
            AdoptJournal(self.top / "state" / "adopt.json"),
            Hands(self.units, self.wait),
            self.told.append,
        )

    def wait(self, probe, failed, patience, now, sleep) -> None:
        self.waited.append(probe.address)
        if self.answer is not None:
            raise self.answer

    def steps(self) -> Iterator[Step]:
        """Give the steps of a plan, with their files in the directory of the test."""
        kept = {"/etc/txregistry/config.yml": "kept"}
        for step in make_plan(facts(kept=kept)):
            if not isinstance(step, WriteFile):
                yield step
                continue
            name = os.path.basename(step.path)
            place = {"config.yml": "etc", "50-adopted.conf": "units/x.d"}.get(name, "")
            kept_as = f"{self.config}.before" if step.kept else ""
            path = str(self.top / place / name)
            yield attrs.evolve(
                step, path=path, kept=kept_as, uid=os.getuid(), gid=os.getgid()
            )

    def record(self) -> AdoptRecord:
        return AdoptRecord(OLD, "then", APPLYING, 0, tuple(self.steps()))

    def load(self) -> AdoptRecord:
        record = self.takeover.journal.load()
        assert record is not None
        return record

    def assert_taken_over(self) -> None:
        self.assertEqual(self.units.state(OLD), IDLE)
        self.assertEqual(self.units.state(OURS), RUNNING)
        self.assertIn("version", self.config.read_text())
        self.assertEqual(Path(f"{self.config}.before").read_text(), "ours\n")
        self.assertEqual(self.load().state, APPLIED)

    def assert_as_before(self) -> None:
        self.assertEqual(self.units.states, self.before)
        self.assertEqual(self.config.read_text(), "ours\n")
        self.assertEqual(self.config.stat().st_ino, self.inode)
        files = [str(x.relative_to(self.top)) for x in self.top.rglob("*")]
        self.assertEqual(sorted(set(files) - {"units"}), ["etc", "etc/config.yml"])


class ApplyTests(TakeoverCase):
    """From the beginning to the end."""

    def test_there_and_back(self) -> None:
        """The old service is off and ours is on; back, all is as it was."""
        self.takeover.apply(self.record())
        self.assert_taken_over()
        self.assertEqual(self.waited, [":5000"])
        calls = self.units.calls
        self.assertLess(calls.index(f"stop {OLD}"), calls.index(f"start {OURS}"))
        del self.units.calls[:]
        self.assertEqual(self.takeover.back(self.load()), [])
        self.assert_as_before()
        self.assertLess(calls.index(f"stop {OURS}"), calls.index(f"start {OLD}"))
        self.assertEqual(calls[-1], "daemon-reload")

    def test_modes(self) -> None:
        """Passwords in the variables and in the journal are for root."""
        self.takeover.apply(self.record())
        modes = {
            name: (self.top / name).stat().st_mode & 0o777
            for name in ("txregistry", "state", "state/adopt.json", "etc/config.yml")
        }
        expected = {
            "txregistry": 0o600,
            "state": 0o700,
            "state/adopt.json": 0o600,
            "etc/config.yml": 0o644,
        }
        self.assertEqual(modes, expected)

    def test_each_step_is_told(self) -> None:
        """Before it is done."""
        self.takeover.apply(self.record())
        self.assertEqual(self.told, list(map(str, self.steps())))

    def test_changed_since(self) -> None:
        """What somebody has changed after the takeover is kept beside."""
        self.takeover.apply(self.record())
        self.config.write_text("changed\n")
        self.takeover.back(self.load())
        changed = Path(f"{self.config}.adopted")
        self.assertEqual(changed.read_text(), "changed\n")
        changed.unlink()
        self.assert_as_before()

    def test_a_service_of_ours_that_ran(self) -> None:
        """Runs again, with its own configuration, as the last."""
        self.units.states[OURS] = RUNNING
        steps = [
            attrs.evolve(step, active=(OURS,))
            if step == StopUnits((OURS,), ())
            else step
            for step in self.steps()
        ]
        self.takeover.apply(attrs.evolve(self.record(), steps=tuple(steps)))
        self.takeover.back(self.load())
        self.assertEqual(self.units.calls[-1], f"start {OURS}")
        self.assertEqual(self.config.read_text(), "ours\n")

    def test_socket(self) -> None:
        """Goes with its service, by one command: else it would start it again."""
        steps = [
            step
            for step in make_plan(facts(socket=RUNNING))
            if not isinstance(step, WriteFile)
        ]
        self.units.states[SOCKET] = RUNNING
        self.takeover.apply(attrs.evolve(self.record(), steps=tuple(steps)))
        calls = [*self.units.calls]
        self.assertIn(f"start {SOCKET} {OURS}", calls)
        self.takeover.back(self.load())
        back = self.units.calls[len(calls) :]
        self.assertIn(f"stop {SOCKET} {OURS}", back)
        self.assertEqual(back[-1], f"start {SOCKET}")  # alone, as it was before
        self.assertTrue(self.units.state(SOCKET).is_active)


class FailureTests(TakeoverCase):
    """What goes wrong in the middle."""

    def test_each_call_that_fails(self) -> None:
        """Whatever systemd does not do, all can be put back."""
        self.takeover.apply(self.record())
        calls = [*self.units.calls]
        self.takeover.back(self.load())
        for call in dict.fromkeys(calls):
            self.units.refused = call
            with self.assertRaisesRegex(StepFailed, "does not want to"):
                self.takeover.apply(self.record())
            self.units.refused = ""
            self.assertEqual(self.takeover.back(self.load()), [], call)
            self.assert_as_before()

    def test_no_answer(self) -> None:
        """One that starts and does not answer has failed as well."""
        self.answer = NoAnswer("did not answer")
        with self.assertRaisesRegex(StepFailed, "did not answer"):
            self.takeover.apply(self.record())
        self.assertEqual(self.takeover.back(self.load()), [])
        self.assert_as_before()

    def test_each_moment_of_death(self) -> None:
        """Killed before or after any call, it is ended, or undone."""
        for again in (True, False):
            for moment in range(12):
                self.die_at(moment)
                if again:
                    # Whatever happened meanwhile, as a restart of the machine.
                    self.units.states[OURS] = UnitState(True, False, moment > 6)
                    self.takeover.apply(self.load())
                    self.assert_taken_over()
                self.takeover.back(self.load())
                self.assert_as_before()

    def die_at(self, moment: int) -> None:
        """Apply, and be killed before a call, or at the end."""
        left = iter(range(moment))

        def before(call: str) -> None:
            if next(left, None) is None:
                raise Killed

        self.units.before, self.answer = before, Killed()
        self.assertRaises(Killed, self.takeover.apply, self.record())
        self.units.before, self.answer = (lambda call: None), None

    def test_death_in_a_file(self) -> None:
        """Nor does it matter how far a file has come."""
        (step, *_) = (s for s in self.steps() if isinstance(s, WriteFile))
        hands = self.takeover.hands
        os.link(self.config, step.kept)  # it has a second name and nothing more
        hands.undo(step)
        self.assertEqual(self.config.read_text(), "ours\n")
        self.assertFalse(os.path.exists(step.kept))
        hands.undo(step)  # nor has it that yet
        self.assertEqual(self.config.read_text(), "ours\n")
        hands.do(step)
        hands.do(step)
        self.assertEqual(Path(step.kept).read_text(), "ours\n")

    def test_death_on_the_way_back(self) -> None:
        """A way back that was killed is gone again from its beginning."""
        for moment in range(9):
            self.takeover.apply(self.record())
            left = iter(range(moment))

            def before(call: str, left: Iterator[int] = left) -> None:
                if next(left, None) is None:
                    raise Killed

            self.units.before = before
            try:
                self.takeover.back(self.load())
            except Killed:
                self.units.before = lambda call: None
                self.assertEqual(self.load().state, BACKING)
                self.takeover.back(self.load())
            self.units.before = lambda call: None
            self.assert_as_before()

    def test_what_cannot_be_put_back(self) -> None:
        """Is told, all else is put back, and the journal stays for another try."""
        self.takeover.apply(self.record())
        self.units.refused = f"start {OLD}"
        (problem,) = self.takeover.back(self.load())
        self.assertIn("does not want to", problem)
        self.assertEqual(self.config.read_text(), "ours\n")
        self.units.refused = ""
        self.assertEqual(self.takeover.back(self.load()), [])
        self.assert_as_before()

    def test_waiting_for_the_old_one(self) -> None:
        """Given back, the old one is waited for, if it ran."""
        record = self.record()
        self.takeover.await_old(record)
        self.assertEqual(self.waited, [":5000"])
        stopped = [s for s in record.steps if not isinstance(s, StopUnits)]
        self.takeover.await_old(attrs.evolve(record, steps=tuple(stopped)))
        self.assertEqual(self.waited, [":5000"])


class JournalTests(TakeoverCase):
    """The file that remembers."""

    def test_broken(self) -> None:
        """One that is no journal is told, and nothing is done."""
        for content in ("{", "[]", '{"steps": []}', '{"steps": [{"step": "Jump"}]}'):
            write(self.top / "state" / "adopt.json", content)
            self.assertRaises(JournalBroken, self.takeover.journal.load)

    def test_full_disk(self) -> None:
        """What cannot be written leaves nothing behind, and the file as it was."""

        def full(file: int) -> None:
            raise OSError(28, "No space left on device")

        path = write(self.top / "state" / "adopt.json", "old")
        self.patch(os, "fsync", full)
        self.assertRaises(OSError, self.takeover.journal.save, self.record())
        self.assertEqual([x.name for x in path.parent.iterdir()], ["adopt.json"])
        self.assertEqual(path.read_text(), "old")

    def test_two_at_once(self) -> None:
        """One at a time takes over, or gives back."""
        journal = self.takeover.journal
        one, two = journal.locked(), journal.locked()
        with one, self.assertRaisesRegex(JournalBroken, "at work"), two:
            self.fail("a second one")
        with journal.locked():
            self.assertIsNone(journal.load())
