"""Logs whose reader is slow, or whose disk is full."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

from prometheus_client import CollectorRegistry
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.observe import outlet as outlet_module
from txregistry.observe.outlet import DroppedLines, Outlet


class Reactor(MemoryReactorClock):
    """A reactor that is called from its own thread."""

    def callFromThread(self, call: Callable[[], object]) -> None:
        self.callLater(0, call)


class PipeTests(SynchronousTestCase):
    """A pipe that nobody reads for a while."""

    def setUp(self) -> None:
        self.reader, self.writer = os.pipe()
        self.addCleanup(lambda: os.close(self.reader) if self.reader >= 0 else None)
        self.addCleanup(os.close, self.writer)
        self.size = fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)
        self.reactor = Reactor()
        self.outlet = Outlet(self.writer, self.reactor)

    def read(self, size: int = 1_000_000) -> bytes:
        os.set_blocking(self.reader, False)
        try:
            return os.read(self.reader, size)
        except BlockingIOError:
            return b""

    def read_on(self) -> bytes:
        """Read until nothing more comes."""
        found = b""
        for _ in range(50):
            found += self.read()
            self.reactor.advance(0.05)
        return found

    def test_at_once(self) -> None:
        """Where there is room, a line is there at once."""
        self.outlet.write("a line\n")
        self.assertEqual(self.read(), b"a line\n")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_any_text(self) -> None:
        """Half a character is written as what it is."""
        self.outlet.write("a\ud800b\n")
        self.assertEqual(self.read(), b"a\\ud800b\n")

    def test_full_pipe(self) -> None:
        """What has no room waits, in order, and nobody waits for it."""
        lines = [f"line {number} {'x' * 100}\n" for number in range(200)]
        for line in lines:
            self.outlet.write(line)
        self.assertEqual(self.read_on().decode(), "".join(lines))
        self.assertEqual(self.outlet.dropped, 0)
        self.reactor.advance(0.1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_reader_that_never_reads(self) -> None:
        """Beyond a limit lines are dropped, and counted; those before are whole."""
        self.patch(outlet_module, "MAX_BUFFERED_BYTES", 10_000)
        for number in range(200):
            self.outlet.write(f"line {number:04} {'x' * 90}\n")
        found = self.read_on().decode().splitlines()
        self.assertEqual(len(found) + self.outlet.dropped, 200)
        self.assertEqual([len(line) for line in found], [100] * len(found))
        self.outlet.write("after\n")
        self.assertEqual(self.read_on(), b"after\n")

    def test_reader_that_has_gone(self) -> None:
        """Lines that nobody reads are counted, and no failure of who writes."""
        os.close(self.reader)
        self.reader = -1
        self.outlet.write("one\ntwo\n")
        self.assertEqual(self.outlet.dropped, 2)

    def test_end(self) -> None:
        """At the end what has room is written, and the rest is counted."""
        self.patch(outlet_module, "_CLOSE_SECONDS", 0.0)
        self.outlet.write("x" * 4096)
        self.outlet.write("late\n")
        self.outlet.close()
        self.assertEqual(self.outlet.dropped, 1)
        self.reactor.pump([0, 0.1])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_end_with_a_reader_that_drips(self) -> None:
        """The end waits for a second in all, however little is read meanwhile."""
        now = [100.0]
        self.patch(outlet_module, "monotonic", lambda: now[0])
        waits: list[float] = []

        class Dripping:
            def poll(poll, milliseconds: float) -> bool:
                waits.append(milliseconds)
                now[0] += 0.4
                self.read(4096)
                return milliseconds > 0

        self.outlet.write("x" * 4096)
        self.outlet.write("late\n" * 100_000)
        self.outlet._poll = Dripping()
        self.outlet.close()
        self.assertEqual([round(wait) for wait in waits], [1000, 600, 200, 0])
        self.assertGreater(self.outlet.dropped, 90_000)
        self.reactor.pump([0, 0.1])

    def test_metric(self) -> None:
        """The metrics show how many were dropped."""
        registry = CollectorRegistry()
        registry.register(DroppedLines({"access": self.outlet}))
        self.outlet.dropped = 3
        found = registry.get_sample_value(
            "registry_log_lines_dropped_total", {"log": "access"}
        )
        self.assertEqual(found, 3)


class DiskTests(SynchronousTestCase):
    """A file on a full disk."""

    def test_full(self) -> None:
        """A line that cannot be written is counted."""
        descriptor = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, descriptor)
        outlet = Outlet(descriptor, Reactor())
        outlet.write("one\n")
        outlet.write("two\n")
        self.assertEqual(outlet.dropped, 2)
