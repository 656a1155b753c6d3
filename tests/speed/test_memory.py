"""Memory that is set once, for speed."""

from __future__ import annotations

import ctypes
import subprocess
import sys

from twisted.trial.unittest import SkipTest, SynchronousTestCase

#: Takes and frees two buffers a hundred times; prints how many pages that touched anew.
CHURN = """
import resource
from txregistry.speed.memory import keep_buffers
if {wanted}:
    keep_buffers()
def take():
    return [b"x" * 2**20 for _ in range(2)]
take()
began = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    take()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - began)
"""

PAGES = 2 * 100 * 256


class MemoryTests(SynchronousTestCase):
    """What the process keeps, and what it looks through."""

    def run_in_process(self, program: str) -> int:
        command = [sys.executable, "-c", program]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        return int(found.stdout)

    def test_buffers_are_used_again(self) -> None:
        """The kernel clears hardly a page for buffers that follow one another."""
        if not hasattr(ctypes.CDLL(None), "mallopt"):
            raise SkipTest("another C library than glibc")
        self.assertGreater(self.run_in_process(CHURN.format(wanted=False)), PAGES // 2)
        self.assertLess(self.run_in_process(CHURN.format(wanted=True)), PAGES // 20)

    def test_collector(self) -> None:
        """What is there at the start is not looked through again."""
        program = (
            "import gc\nfrom txregistry.speed.memory import tune_gc\ntune_gc()\n"
            "print(gc.get_freeze_count() if gc.get_threshold()[0] > 700 else 0)"
        )
        self.assertGreater(self.run_in_process(program), 1000)
