"""How the process of a daemon holds memory."""

from __future__ import annotations

import ctypes
import subprocess
import sys

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txregistry.daemon.memory import GIVE_BACK_SECONDS, MallocTrimmer
from txregistry.testing.disk import QueueDisk

#: Frees a hundred buffers that have small things in use between them; prints how
#: many megabytes of that go back.
BURST = """
from txregistry.daemon.memory import give_back
from txregistry.speed.memory import keep_buffers
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4 // 1024
keep_buffers()
kept, buffers = [], []
for _ in range(100):
    buffers.append(b"x" * 2**20)
    kept.append(bytes(2000))
buffers.clear()
before = resident()
give_back()
print(before - resident())
"""


class MemoryTests(SynchronousTestCase):
    """What glibc does with freed buffers."""

    def run_in_process(self, program: str) -> int:
        command = [sys.executable, "-c", program]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        return int(found.stdout)

    def test_given_back(self) -> None:
        """What lies between things in use goes back all the same."""
        if not hasattr(ctypes.CDLL(None), "malloc_trim"):
            raise SkipTest("another C library than glibc")
        self.assertGreater(self.run_in_process(BURST), 90)


class MallocTrimmerTests(SynchronousTestCase):
    """Once a minute, on a thread."""

    def test_once_a_minute(self) -> None:
        """From a minute after the start to the end of the service."""
        clock, disk = Clock(), QueueDisk()
        service = MallocTrimmer(disk, clock)
        service.startService()
        for wanted in (0, 1, 2):
            self.assertEqual(len(disk.jobs), min(wanted, 1))
            disk.settle()
            clock.advance(GIVE_BACK_SECONDS)
        service.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])
