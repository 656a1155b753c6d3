"""Signs of life, from the start to the end."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.supervision import Supervision
from txregistry.daemon.systemd import Manager


class Listening:
    """A manager that remembers."""

    is_there = True

    def __init__(self, watchdog_seconds: float) -> None:
        self.watchdog_seconds = watchdog_seconds
        self.heard: list[str] = []

    def ready(self, text: str) -> None:
        self.heard.append(f"ready: {text}")

    def stopping(self, seconds: float) -> None:
        self.heard.append(f"stopping: {seconds}")

    def extend(self, seconds: float) -> None:
        self.heard.append("extend")

    def watchdog(self) -> None:
        self.heard.append("alive")

    def take(self) -> list[str]:
        heard, self.heard = self.heard, []
        return heard


class SupervisionTests(SynchronousTestCase):
    """One daemon under a manager."""

    def begin(self, watchdog_seconds: float) -> tuple[Clock, Listening, Supervision]:
        clock, manager = Clock(), Listening(watchdog_seconds)
        supervision = Supervision(manager, clock)
        supervision.begin()
        self.addCleanup(lambda: self.assertEqual(clock.getDelayedCalls(), []))
        self.addCleanup(supervision.end)
        return clock, manager, supervision

    def test_watchdog(self) -> None:
        """It hears of us at half its time, through the stop as well."""
        clock, manager, supervision = self.begin(4)
        self.assertEqual(manager.take(), ["extend", "alive"])
        supervision.ready("here")
        clock.pump([1, 1, 1, 1])
        self.assertEqual(manager.take(), ["ready: here", "alive", "alive"])
        supervision.stopping(10)
        clock.advance(2)
        self.assertEqual(manager.take(), ["stopping: 40.0", "alive"])
        supervision.end()
        clock.advance(100)
        self.assertEqual(manager.take(), [])

    def test_long_start(self) -> None:
        """A start may take as long as it likes, while the reactor turns."""
        clock, manager, supervision = self.begin(0)
        clock.pump([5] * 100)
        self.assertEqual(manager.take(), ["extend"] * 101)
        supervision.ready("here")
        clock.pump([5] * 100)
        self.assertEqual(manager.take(), ["ready: here"])

    def test_stop_while_starting(self) -> None:
        """A stop asks for its time once."""
        clock, manager, supervision = self.begin(0)
        supervision.stopping(10)
        clock.advance(50)
        self.assertEqual(manager.take(), ["extend", "stopping: 40.0"])

    def test_nobody(self) -> None:
        """Without a manager there is no timer."""
        clock = Clock()
        supervision = Supervision(Manager(), clock)
        supervision.begin()
        supervision.ready("here")
        supervision.stopping(10)
        self.assertEqual(clock.getDelayedCalls(), [])
        supervision.end()
