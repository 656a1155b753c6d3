"""What all benchmarks share: registry processes, and comparing them in turns."""

from __future__ import annotations

import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import yaml

MIB = 1024 * 1024
TICKS = os.sysconf("SC_CLK_TCK")
TWISTD = str(Path(sys.executable).parent / "twistd")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(2400):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on {port}")


def pin(processes: Sequence[int]) -> None:
    """Have processes run on one core, and this one on another, if there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return
    os.sched_setaffinity(0, {cores[1]})
    for process in processes:
        for task in os.listdir(f"/proc/{process}/task"):
            os.sched_setaffinity(int(task), {cores[0]})


class Server:
    """A registry process under measurement."""

    def __init__(
        self,
        directory: Path,
        name: str,
        ours: bool,
        remote: str = "",
        start: Sequence[str] = (TWISTD,),
        http: dict[str, Any] | None = None,
        context: ssl.SSLContext | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        self.name, self.port, self.context = name, free_port(), context
        self.root = directory / name
        config: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.root)},
                "cache": {"blobdescriptor": "inmemory"},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{self.port}", **(http or {})},
        }
        if remote:
            config["proxy"] = {"remoteurl": remote}
        config |= more or {}
        path = directory / f"{name}.yml"
        path.write_text(yaml.safe_dump(config))
        argv = ["docker-registry", "serve", str(path)]
        if ours:
            argv = [*start, "-n", "--pidfile=", "registry", "-c", str(path)]
        environment = {**os.environ, "NO_PROXY": "*", "OTEL_TRACES_EXPORTER": "none"}
        with (directory / f"{name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                argv, stdout=log, stderr=log, env=environment, cwd=directory
            )
        self.wait()

    def wait(self) -> None:
        for _ in range(2400):
            try:
                self.ask("GET", "/v2/")
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not answer")

    def connect(self) -> HTTPConnection:
        if self.context is not None:
            return HTTPSConnection(
                "127.0.0.1", self.port, timeout=120, context=self.context
            )
        return HTTPConnection("127.0.0.1", self.port, timeout=120)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Any, bytes]:
        connection = self.connect()
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        found = response.status, response.headers, response.read()
        connection.close()
        return found

    def cpu(self) -> float:
        """Give the CPU seconds that its threads have used so far."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(path.read_text().split()[0]) for path in tasks) / 1e9

    def peak_memory(self) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(found for found in text.splitlines() if found.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def compare(
    rounds: int, ours: Callable[[], float], theirs: Callable[[], float]
) -> dict[str, float]:
    """Take turns; give both medians and the median of the ratios."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return {
        "ours": statistics.median(pair[0] for pair in pairs),
        "theirs": statistics.median(pair[1] for pair in pairs),
        "ratio": statistics.median(a / b for a, b in pairs if b) if pairs else 0.0,
    }


def file_system(path: Path) -> str:
    """Name the kind of file system of a path; tell an ext4 that has no journal."""
    device = os.stat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        place, _, rest = line.partition(" - ")
        if place.split()[2] == number:
            kind, source = rest.split()[:2]
            journal = Path(f"/sys/fs/ext4/{os.path.basename(source)}/journal_task")
            has_none = (
                journal.exists() and journal.read_text("utf-8").strip() == "<none>"
            )
            return f"{kind} without a journal" if has_none else kind
    return "unknown"


def show(figures: dict[str, Any], as_json: bool) -> None:
    """Write ours, theirs and the ratio, a line each, or all of it as JSON."""
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    for what, row in figures.items():
        print(
            f"{what:42} {row['ours']:12.6g} {row['theirs']:12.6g} {row['ratio']:8.3f}"
        )
