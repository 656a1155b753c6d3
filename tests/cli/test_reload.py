"""``txregistry reload``: what it says, and its status."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from typing import Any
from unittest import mock

import yaml
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.control import answering
from txregistry.cli.main import main

NOTHING: dict[str, Any] = {"changed": [], "restart": {}, "problems": [], "warnings": []}


class ReloadTests(SynchronousTestCase):
    """A daemon that says what the test says."""

    def setUp(self) -> None:
        # Short, as a Unix socket has to be named.
        # The path of a socket has a hundred bytes, wherever the tests run.
        root = tempfile.mkdtemp(prefix="txr-")
        self.addCleanup(shutil.rmtree, root)
        os.makedirs(os.path.join(root, "txregistry"))
        self.socket = os.path.join(root, "txregistry", "control.sock")
        self.config = self.mktemp()
        self.write(storage={"filesystem": {"rootdirectory": root}})

    def write(self, **config: object) -> None:
        with open(self.config, "w") as file:
            yaml.safe_dump({"version": "0.1", **config}, file)

    def reload(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["reload", *arguments])

    def answered(self, answer: dict[str, Any], *arguments: str) -> Result:
        """Reload, and be answered once."""
        with answering(self.socket, answer) as asked:
            result = self.reload(*arguments)
        self.assertEqual(asked, [{"command": "reload", "options": {}}])
        return result

    def report(self, **changes: Any) -> Result:
        return self.answered({"report": {**NOTHING, **changes}}, self.config)

    def test_outcomes(self) -> None:
        """0 if all is in force, 3 if some waits, 78 if it was refused."""
        for changes, output, status in (
            ({}, "nothing has changed\n", 0),
            ({"changed": ["a.b"]}, "changed: a.b\n", 0),
            ({"restart": {"c": "why"}}, "needs a restart: c (why)\n", 3),
            (
                {"warnings": ["w"], "changed": ["a"], "restart": {"c": "why"}},
                "warning: w\nchanged: a\nneeds a restart: c (why)\n",
                3,
            ),
            (
                {"problems": ["a: bad"]},
                "a: bad\nreload failed: the previous configuration stays in force\n",
                78,
            ),
        ):
            result = self.report(**changes)
            self.assertEqual((result.output, result.exit_code), (output, status))

    def test_quiet_and_json(self) -> None:
        """Nothing but what is wrong; all of it for machines."""
        answer = {"report": {**NOTHING, "changed": ["a"]}}
        self.assertEqual(self.answered(answer, "-q", self.config).output, "")
        result = self.answered(answer, "--json", f"--socket={self.socket}")
        self.assertEqual(json.loads(result.output), answer["report"])

    def test_refused(self) -> None:
        """A daemon that starts or stops says so."""
        result = self.answered({"error": "the daemon stops"}, self.config)
        self.assertEqual((result.output, result.exit_code), ("the daemon stops\n", 1))

    def test_nobody(self) -> None:
        """Without a daemon there is nothing to reload."""
        result = self.reload(self.config)
        self.assertEqual(result.exit_code, 1)
        self.assertIn("no daemon answers", result.output)

    def test_storage_in_memory(self) -> None:
        """Such a daemon has no socket."""
        self.write(storage="inmemory")
        result = self.reload(self.config)
        self.assertEqual(result.exit_code, 1)
        self.assertIn("has no control socket", result.output)

    def test_partly(self) -> None:
        """For a service, whose reload has not failed if some keys need a restart."""
        answer = {"report": {**NOTHING, "restart": {"c": "why"}}}
        result = self.answered(answer, "--partly", self.config)
        self.assertEqual(result.exit_code, 0)
        self.assertIn("needs a restart: c", result.output)
        answer = {"report": {**NOTHING, "problems": ["a: bad"]}}
        result = self.answered(answer, "--partly", self.config)
        self.assertEqual(result.exit_code, 78)

    def test_signal(self) -> None:
        """A daemon without a socket gets a signal; a broken file is told as well."""
        sent: list[tuple[int, int]] = []
        self.patch(os, "kill", lambda *given: sent.append(given))
        result = self.reload("--or-signal=7", self.config)
        self.assertEqual((result.exit_code, sent), (0, [(7, signal.SIGHUP)]))
        self.assertIn("SIGHUP was sent: no daemon answers", result.output)
        self.write(storage={}, log={"level": 3})
        result = self.reload("--or-signal=7", self.config)
        self.assertEqual((result.exit_code, len(sent)), (78, 2))
        self.assertIn("storage: expected exactly one driver", result.output)
        answer = {"report": NOTHING}
        self.answered(answer, "--or-signal=7", f"--socket={self.socket}")
        self.assertEqual(len(sent), 2)
        result = self.reload("--or-signal=7", "--json", f"--socket={self.socket}")
        self.assertEqual(json.loads(result.stdout), {"signalled": 7})

    def test_signal_cannot_be_sent(self) -> None:
        """No such process, or one of somebody else: a reason and a status."""
        for error, status, told in (
            (ProcessLookupError, 1, "there is no process 7: no daemon answers"),
            (OverflowError, 1, "there is no process 7: no daemon answers"),
            (PermissionError, 77, "this user may not signal process 7: no daemon"),
        ):
            self.patch(os, "kill", mock.Mock(side_effect=error))
            result = self.reload("--or-signal=7", self.config)
            self.assertEqual(result.exit_code, status)
            self.assertIn(told, result.stderr)

    def test_broken_file(self) -> None:
        """Its problems, and the status of a configuration that is wrong."""
        self.write(storage={}, log={"level": 3})
        result = self.reload(self.config)
        self.assertEqual(result.exit_code, 78)
        self.assertIn("storage: expected exactly one driver", result.output)
