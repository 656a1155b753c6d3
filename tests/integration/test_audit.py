"""The audit trail of a daemon and of commands without one, in one file."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from tests.integration.support import IntegrationCase, run

COMMAND = str(Path(sys.executable).parent / "txregistry")


class AuditTests(IntegrationCase):
    """Commands of an administrator."""

    async def command(self, name: str, *options: str) -> None:
        await run(COMMAND, name, *options, env={**os.environ, "COLUMNS": "80"})

    def actions(self, path: Path) -> list[str]:
        """Give the action of each line, which says who asked, and the outcome."""
        user = pwd.getpwuid(os.geteuid()).pw_name
        found = []
        for line in path.read_text().splitlines():
            words = dict(
                word.partition("=")[::2] for word in line.split() if "=" in word
            )
            self.assertEqual(words["who"], user, line)
            self.assertRegex(words["peer"], r"^pid:\d+$")
            self.assertEqual(words["outcome"], "done", line)
            found.append(words["action"])
        return found

    async def test_commands(self) -> None:
        """Each has its line, by the daemon or by itself; a renamed file is let go."""
        path = self.directory / "audit.log"
        merge = {"log": {"audit": {"path": str(path)}}}
        daemon = await self.daemon("registry", merge=merge)
        config = str(self.directory / "registry.yml")
        await self.command("verify", "-c", config)
        old = path.rename(self.directory / "audit.log.1")
        await self.command("garbage-collect", "-q", config)
        await self.command("reload", config)
        await self.command("verify", "-c", config)
        self.assertEqual(self.actions(old), ["verify", "collect"])
        await daemon.process.end()
        await self.command("garbage-collect", "-q", config)
        await self.command("garbage-collect", "-q", "-d", config)
        await self.command("verify", "-c", config)
        expected = ["reload", "verify", "collect", "verify"]
        self.assertEqual(self.actions(path), expected)
        self.assertEqual(path.stat().st_mode & 0o777, 0o640)
