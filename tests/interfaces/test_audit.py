"""Who asks for work."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.audit import Requester


class RequesterTests(SynchronousTestCase):
    """How it is named in a log."""

    def test_text(self) -> None:
        """With the process, where that is known."""
        self.assertEqual(str(Requester("ann", "pid:7")), "ann (pid:7)")
        self.assertEqual(str(Requester("SIGHUP")), "SIGHUP")
