"""Commands about images, and a daemon that says what the test says."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

import yaml
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.control import answering
from txregistry.cli.main import main


class AskingCase(SynchronousTestCase):
    """A configuration, and a control socket."""

    def setUp(self) -> None:
        # Short, as a Unix socket has to be named.
        root = tempfile.mkdtemp(prefix="txr-")
        self.addCleanup(shutil.rmtree, root)
        os.makedirs(os.path.join(root, "txregistry"))
        self.socket = os.path.join(root, "txregistry", "control.sock")
        self.config = os.path.join(root, "config.yml")
        storage = {"filesystem": {"rootdirectory": root}}
        with open(self.config, "w") as file:
            yaml.safe_dump({"version": "0.1", "storage": storage}, file)
        self.asked: list[Any] = []

    def run_command(self, *arguments: str, **more: Any) -> Result:
        return CliRunner().invoke(main, [*arguments], **more)

    def answered(self, report: dict[str, Any], *arguments: str, **more: Any) -> Result:
        """Run a command of the daemon, which answers with a report."""
        command, *rest = arguments
        with answering(self.socket, {"report": report}) as self.asked:
            return self.run_command(command, "-c", self.config, *rest, **more)

    def options(self) -> dict[str, Any]:
        """Give the options of the only question."""
        (question,) = self.asked
        return question["options"]
