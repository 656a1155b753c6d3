"""The clock that only goes forward, and the one on the wall."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.clocks import WallClock, steady_clock

#: Starts the daemon's reactor, sets the clock back an hour, and waits for a timer.
SET_BACK = """
    import sys, time
    wall, back = time.time, [0]
    time.time = lambda: wall() - back[0]
    from txregistry.tap import Options, makeService
    options = Options()
    options.parseOptions(["-c", sys.argv[1]])
    makeService(options)
    from twisted.internet import reactor
    reactor.callLater(0.2, reactor.callLater, 0.2, reactor.stop)
    reactor.callLater(0.1, back.append, 3600)
    reactor.callLater(0.1, back.reverse)
    reactor.run()
    print("fired", reactor.seconds() > wall() - 60)
"""


class ClockTests(SynchronousTestCase):
    """Durations by one clock, times of day by another."""

    def test_steady(self) -> None:
        """It begins at the time of day and counts on from there."""
        wall, monotonic = [1_000_000.0], [50.0]
        seconds = steady_clock(lambda: wall[0], lambda: monotonic[0])
        self.assertEqual(seconds(), 1_000_000.0)
        wall[0] -= 3600
        monotonic[0] += 7
        self.assertEqual(seconds(), 1_000_007.0)

    def test_wall(self) -> None:
        """It tells what the wall does, and calls when the other clock says."""
        clock, told, called = Clock(), [5.0], []
        wall = WallClock(clock, lambda: told[0])
        verifyObject(IReactorTime, wall)
        wall.callLater(2, called.append, "x")
        self.assertEqual(len(wall.getDelayedCalls()), 1)
        told[0] = -3600.0
        self.assertEqual(wall.seconds(), -3600.0)
        clock.advance(2)
        self.assertEqual(called, ["x"])

    def test_clock_that_is_set_back(self) -> None:
        """What the daemon waits for comes though the clock was set back an hour."""
        path = self.mktemp() + ".yml"
        with open(path, "w") as file:
            file.write("version: 0.1\nstorage: {inmemory: {}}\n")
        script = textwrap.dedent(SET_BACK)
        done = subprocess.run(
            [sys.executable, "-c", script, path],
            timeout=60,
            capture_output=True,
            check=False,
        )
        self.assertEqual(done.stdout, b"fired True\n", done.stderr)
