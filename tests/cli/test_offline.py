"""Work on a storage directory while no daemon does."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli import offline
from txregistry.cli.exits import OfflineFailed
from txregistry.cli.offline import check_lock, work_offline
from txregistry.config.model import Config
from txregistry.config.read import read_config
from txregistry.daemon.lock import DirectoryLock


class OfflineTests(SynchronousTestCase):
    """A directory, and an audit trail."""

    def setUp(self) -> None:
        self.root, self.trail = self.mktemp(), self.mktemp()
        with open(self.trail, "w"):
            pass

    def config(self, trail: str | None = None, **driver: Any) -> Config:
        section = driver or {"filesystem": {"rootdirectory": self.root}}
        audit = {"path": self.trail if trail is None else trail}
        log = {"audit": audit}
        found, _ = read_config({"version": "0.1", "storage": section, "log": log})
        return found

    def told(self) -> list[str]:
        with open(self.trail) as file:
            return file.read().splitlines()

    def refused(self, config: Config, action: str = "collect") -> str:
        """Give why work was not begun."""
        with self.assertRaises(OfflineFailed) as caught:
            work_offline(config, self.fail, action=action)
        return str(caught.exception)

    def hold(self) -> None:
        lock = DirectoryLock(os.path.join(self.root, "txregistry", "lock"))
        lock.startService()
        self.addCleanup(lock.stopService)

    def test_another_process(self) -> None:
        """What another process works on is left alone, which the trail says."""
        self.hold()
        why = self.refused(self.config())
        self.assertIn("control socket does not answer", why)
        (line,) = self.told()
        self.assertIn("action=collect outcome=REFUSED who=", line)
        self.assertIn("another\\x20process", line)

    def test_no_lock(self) -> None:
        """So it is where no lock tells whether another one works on it."""
        self.assertIn("--unlocked", self.refused(self.config(inmemory={}), "verify"))
        (line,) = self.told()
        self.assertIn("action=verify outcome=REFUSED who=", line)
        check_lock(self.config(inmemory={}), unlocked=True)

    def test_files_of_root(self) -> None:
        """Root leaves no files where another user's daemon writes."""
        os.makedirs(os.path.join(self.root, "txregistry"))
        os.chown(os.path.join(self.root, "txregistry"), 65534, -1)
        self.assertIn("runuser", self.refused(self.config()))
        self.assertEqual(len(self.told()), 1)

    if os.geteuid():
        test_files_of_root.skip = "it takes root"  # type: ignore[attr-defined]

    def test_trial(self) -> None:
        """What would change nothing is not recorded."""
        self.hold()
        self.refused(self.config(), "")
        self.assertEqual(self.told(), [])

    def test_trail_that_cannot_be_written(self) -> None:
        """The reason of the refusal is told all the same."""
        self.hold()
        self.patch(sys, "stderr", io.StringIO())
        why = self.refused(self.config(trail=self.root))
        self.assertIn("control socket does not answer", why)
        self.assertIn("log.audit.path: ", sys.stderr.getvalue())

    def test_lock_is_held(self) -> None:
        """Work is done with the lock, which is free afterwards."""
        seen: list[str] = []

        def react(run: Any) -> str:
            seen.append(self.refused(self.config()))
            return "report"

        self.patch(offline, "_react", react)
        self.assertEqual(work_offline(self.config(), self.fail), "report")
        self.assertIn("another process works on", seen[0])
        self.hold()
