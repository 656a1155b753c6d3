"""How the process of a daemon holds memory."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

#: Takes and frees two buffers a hundred times; prints how many pages that touched anew.
CHURN = """
import resource
from txregistry.memory import keep_buffers
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
    """What glibc does with freed buffers."""

    def churn(self, wanted: bool) -> int:
        command = [sys.executable, "-c", CHURN.format(wanted=wanted)]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        return int(found.stdout)

    def test_buffers_are_used_again(self) -> None:
        """The kernel clears hardly a page for buffers that follow one another."""
        self.assertLess(self.churn(True), PAGES // 20)
