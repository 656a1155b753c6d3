"""Images are warmed every so often."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs, formatEvent

from tests.images.cases import ImagesCase
from txregistry.images.keeper import Images
from txregistry.images.schedule import WarmPlan, WarmSchedule, images_in
from txregistry.interfaces.driver import DriverError
from txregistry.spec.platforms import WantedPlatform

CORP = "corp/org/app:v1"


class ScheduleTests(ImagesCase):
    """Rounds, and other plans."""

    def setUp(self) -> None:
        super().setUp()
        self.listed: list[str] = []
        self.fault: Exception | None = None
        self.put_image("corp")

    def start(self, **settings: object) -> WarmSchedule:
        plan = WarmPlan(**{"interval": 3600.0, "first_delay": 10.0, **settings})
        schedule = WarmSchedule(self.images, plan, self.read, self.house.clock)
        schedule.startService()
        self.addCleanup(schedule.stopService)
        return schedule

    def read(self, path: str) -> Deferred[list[str]]:
        return fail(self.fault) if self.fault else succeed(self.listed)

    def pass_time(self, seconds: float) -> list[str]:
        """Let time pass; give what was logged."""
        with capturedLogs() as events:
            for _ in range(round(seconds)):
                self.house.pump()
                self.house.clock.advance(1)
        told = [event for event in events if "schedule" in event["log_namespace"]]
        return [str(formatEvent(event)) for event in told]

    def is_here(self, name: str) -> bool:
        return bool(self.explain(name).digest)

    def test_rounds(self) -> None:
        """The first one soon, the next after the interval."""
        self.start(images=(CORP,))
        self.assertEqual(self.pass_time(9), [])
        self.assertFalse(self.is_here(CORP))
        told = self.pass_time(100)
        self.assertEqual(told, ["warmed: 11 parts fetched, 0 images failed"])
        moved = self.put_image("corp")
        self.pass_time(3600)
        self.assertEqual(self.explain(CORP).digest, str(moved))

    def test_platforms(self) -> None:
        """Only what is wanted."""
        platforms = (WantedPlatform.parse("linux/amd64"),)
        self.start(images=(CORP,), platforms=platforms)
        self.assertIn("5 parts", self.pass_time(100)[0])

    def test_file(self) -> None:
        """It is read at each round; one that cannot be read is told."""
        self.start(path="/list")
        self.assertEqual(
            self.pass_time(100), ["warmed: 0 parts fetched, 0 images failed"]
        )
        self.listed.append(CORP)
        self.pass_time(3600)
        self.assertTrue(self.is_here(CORP))
        self.fault = OSError(2, "No such file")
        told = self.pass_time(3700)
        self.assertIn("No such file", told[0])

    def test_failures(self) -> None:
        """An image that fails is told, and keeps no other back."""
        self.start(images=("corp/org/none:v1", "NONSENSE", CORP))
        none, nonsense, done = self.pass_time(100)
        self.assertIn("corp/org/none:v1 is not warm", none)
        self.assertIn("NONSENSE is not warm", nonsense)
        self.assertEqual(done, "warmed: 11 parts fetched, 2 images failed")
        self.assertTrue(self.is_here(CORP))

    def test_faults_of_one(self) -> None:
        """Whatever an image fails with, those after it are warmed."""
        faults = {
            "corp/org/full:v1": DriverError("memory", "/x", "no room"),
            "corp/org/odd:v1": KeyError("a mistake"),
        }
        warm = self.images.warm

        def failing(image, platforms, tell):
            fault = faults.get(str(image))
            return fail(fault) if fault else warm(image, platforms, tell)

        self.patch(Images, "warm", lambda _, **named: failing(**named))
        self.start(images=(*faults, CORP))
        told = self.pass_time(100)
        self.assertIn("corp/org/full:v1 is not warm: memory: /x: no room", told)
        self.assertEqual(told[-1], "warmed: 11 parts fetched, 2 images failed")
        self.assertTrue(self.is_here(CORP))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_another_plan(self) -> None:
        """It begins anew, or ends."""
        schedule = self.start(images=("corp/org/none:v1",), first_delay=1000.0)
        schedule.follow(WarmPlan((CORP,), interval=60.0))
        self.pass_time(50)
        self.assertTrue(self.is_here(CORP))
        schedule.follow(WarmPlan())
        self.assertEqual(self.pass_time(1000), [])

    def test_nothing_to_do(self) -> None:
        """Without images there is no timer."""
        before = len(self.house.clock.getDelayedCalls())
        self.start()
        self.assertEqual(len(self.house.clock.getDelayedCalls()), before)

    def test_stopped(self) -> None:
        """A round under way ends with the daemon; its timers go."""
        self.several.upstream("corp").rate = 100
        schedule = self.start(images=(CORP,))
        self.pass_time(12)
        asked = self.asked("corp")
        self.assertGreater(asked, 0)
        self.successResultOf(schedule.stopService())
        self.several.upstream("corp").rate = 0
        self.assertEqual(self.pass_time(8000), [])
        self.assertEqual(self.asked("corp"), asked)

    def test_fault(self) -> None:
        """A round that fails as a whole is logged, and the next one comes."""
        self.fault = KeyError("a mistake")
        self.start(path="/list")
        self.pass_time(100)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.fault = None
        self.assertEqual(len(self.pass_time(3600)), 1)

    def test_lists(self) -> None:
        """One in a line, with comments."""
        found = images_in("# all\na\n\n  b:v1  # why\n")
        self.assertEqual(found, ["a", "b:v1"])
