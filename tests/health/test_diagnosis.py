"""What is wrong right now."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.health.checks import Health
from txregistry.health.diagnosis import Diagnosis, Look


class DiagnosisTests(SynchronousTestCase):
    """Checks that have run, and looks that run when asked."""

    def problems(self, **looks: Look) -> dict[str, str]:
        diagnosis = Diagnosis(Health((), Clock()), looks)
        return dict(self.successResultOf(diagnosis.problems()))

    def test_well(self) -> None:
        """Nothing is told where nothing is wrong."""
        self.assertEqual(self.problems(), {})
        self.assertEqual(self.problems(damage=lambda: succeed(None)), {})

    def test_notes(self) -> None:
        """What is worth knowing is no problem."""
        health = Health((), Clock())
        self.assertEqual(Diagnosis(health, {}).notes(), {})
        noted = Diagnosis(health, {}, lambda: {"offline": "yes"})
        self.assertEqual(noted.notes(), {"offline": "yes"})
        self.assertEqual(self.successResultOf(noted.problems()), {})

    def test_failures(self) -> None:
        """Each look that fails is told with its reason, whatever it raises."""

        def broken() -> Deferred[None]:
            raise ZeroDivisionError("by zero")

        found = self.problems(
            one=lambda: fail(OSError("no disk")),
            two=lambda: fail(ValueError()),
            three=broken,
            four=lambda: succeed(None),
        )
        wanted = {"one": "no disk", "two": "ValueError", "three": "by zero"}
        self.assertEqual(found, wanted)
