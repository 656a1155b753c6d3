"""Daemons that are forked, beside those that are started as a command."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import yaml
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.utils import getProcessOutputAndValue

from tests.integration.forked import finished
from tests.integration.support import (
    TWISTD,
    IntegrationCase,
    Process,
    free_port,
    start,
    start_daemon,
    until,
)


class ForkserverTests(IntegrationCase):
    """What is forked is as good as what was started."""

    def arguments(self, name: str, **config: Any) -> tuple[str, ...]:
        """Give the arguments for a daemon on a port of its own."""
        path = self.directory / f"{name}.yml"
        http = {"addr": f"127.0.0.1:{free_port()}"}
        filesystem = {"rootdirectory": str(self.directory / name)}
        settings = {"storage": {"filesystem": filesystem}, "http": http, **config}
        path.write_text(yaml.safe_dump({"version": "0.1", **settings}))
        return ("-n", "--pidfile=", "registry", "-c", str(path))

    async def ready(self, process: Process) -> Process:
        """Wait until a daemon serves."""
        self.keep(process)
        await until(lambda: "ready on" in process.text() or not process.running)
        self.assertTrue(process.running, process.text())
        return process

    def seen(self, process: Process) -> dict[str, Any]:
        """Look at a process from outside."""
        place = Path(f"/proc/{process.pid}")
        status = dict(
            line.split(":\t", 1) for line in (place / "status").read_text().splitlines()
        )
        streams = [os.readlink(place / "fd" / str(number)) for number in range(3)]
        return {
            "directory": os.readlink(place / "cwd"),
            "output": [stream.partition(":")[0] for stream in streams[1:]],
            "joined": streams[1] == streams[2],
            "signals": [status[key] for key in ("SigCgt", "SigIgn", "SigBlk")],
            "epolls": sum(
                os.readlink(file) == "anon_inode:[eventpoll]"
                for file in (place / "fd").iterdir()
            ),
        }

    async def test_same(self) -> None:
        """It has the directory, streams, signals and one poller of a command, and ends
        by the same signal."""
        cwd = str(self.directory)
        command = start(TWISTD, *self.arguments("command"), cwd=cwd)
        forked = await start_daemon(*self.arguments("forked"), cwd=cwd)
        both = [await self.ready(process) for process in (command, forked)]
        self.assertEqual(*map(self.seen, both))
        for process in both:
            await process.end()
            self.assertEqual(process.output.status.signal, signal.SIGTERM)
            with self.assertRaises(ProcessExitedAlready):
                process.transport.signalProcess("KILL")

    async def test_apart(self) -> None:
        """Two share neither environment, nor pipes, nor chance, nor their ends."""
        names = ("one", "other")
        processes = [
            await start_daemon(
                *self.arguments(name, log={"fields": {"which": name}}),
                cwd=str(self.directory),
                env={"REGISTRY_LOG_FORMATTER": "json" if name == "one" else "text"},
            )
            for name in names
        ]
        one, other = [await self.ready(process) for process in processes]
        self.assertIn('"which": "one"', one.text())
        self.assertNotIn('"which"', other.text())
        self.assertIn("which=other", other.text())
        pipes = [self.pipes(process) for process in processes]
        self.assertFalse(pipes[0] & pipes[1])
        secrets = [self.directory / name / "txregistry" / "secret" for name in names]
        self.assertEqual(len({path.read_bytes() for path in secrets}), 2)
        await one.end("KILL")
        self.assertEqual(one.output.status.signal, signal.SIGKILL)
        self.assertTrue(other.running)

    def pipes(self, process: Process) -> set[str]:
        """Give the pipes and sockets that a process has open."""
        names = map(os.readlink, Path(f"/proc/{process.pid}/fd").iterdir())
        return {name for name in names if name.startswith(("pipe:", "socket:"))}

    async def test_command(self) -> None:
        """A command says the same by each way, and ends with the same status."""
        command = str(Path(TWISTD).with_name("txregistry"))
        path = self.arguments("one")[-1]
        for words, status in (
            (("garbage-collect", "--json", path), 0),
            (("verify", "--quiet", "-c", path), 0),
            (("health", path), 1),
            (("health", "/nowhere.yml"), 2),
        ):
            one = await getProcessOutputAndValue(command, words, os.environ)
            other = await finished((command, *words), os.environ)
            self.assertEqual(one[2], status, one)
            # But for times and process identifiers.
            said, also = (re.sub(r"[0-9.]+", "", str(x)) for x in (one, other))
            self.assertEqual(said, also)

    async def test_status(self) -> None:
        """The status is that of the command, and all is told that was written."""
        check = await start_daemon(*self.arguments("one"), "--check")
        self.keep(check)
        await check.output.ended
        self.assertIsInstance(check.output.status, ProcessDone)
        self.assertIn("rootdirectory", check.text())
        wrong = await start_daemon(*self.arguments("two", storage={}))
        self.keep(wrong)
        await wrong.output.ended
        self.assertEqual(wrong.output.status.exitCode, 78)
        self.assertTrue(wrong.text().startswith("storage: "), wrong.text())
