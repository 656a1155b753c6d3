"""The daemon as a service of systemd: what it sends, what it takes over."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.web.client import Agent

from tests.integration.support import (
    TWISTD,
    IntegrationCase,
    Output,
    Process,
    output,
    require,
    run,
    sleep,
    until,
    which,
)
from tests.integration.test_process import Trusting, make_certificate

#: Becomes the daemon, which finds itself named in the variable.
ACTIVATE = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[1], sys.argv[1:])
"""


class SystemdCase(IntegrationCase):
    """A daemon that the test starts as systemd does."""

    def setUp(self) -> None:
        super().setUp()
        self.notices: list[str] = []
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(str(self.directory / "notify"))
        self.manager.setblocking(False)

    def heard(self) -> list[str]:
        """Give every message until now."""
        try:
            while True:
                self.notices.append(self.manager.recv(4096).decode())
        except BlockingIOError:
            return self.notices

    def listening(self, *address: Any) -> socket.socket:
        """Make a socket as the unit of a socket does."""
        opened = socket.create_server(address or ("127.0.0.1", 0), backlog=1000)
        self.addCleanup(opened.close)
        return opened

    def write(self, **sections: Any) -> str:
        path = self.directory / "config.yml"
        storage = {"filesystem": {"rootdirectory": str(self.directory / "data")}}
        http = {"addr": "127.0.0.1:0"}
        settings = {"version": 0.1, "storage": storage, "http": http, **sections}
        path.write_text(yaml.safe_dump(settings))
        return str(path)

    def serve(self, path: str, *sockets: socket.socket, **variables: str) -> Process:
        """Start the daemon with sockets to take over."""
        output = Output()
        daemon = (TWISTD, "-n", "--pidfile=", "registry", "-c", path)
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(self.directory / "notify"),
            "NO_PROXY": "*",
            **variables,
        }
        if sockets:
            environment["LISTEN_FDS"] = str(len(sockets))
            environment["LISTEN_FDNAMES"] = ":".join("x" for _ in sockets)
        passed = {3 + place: x.fileno() for place, x in enumerate(sockets)}
        transport = reactor.spawnProcess(
            output,
            sys.executable,
            (sys.executable, "-c", ACTIVATE, *daemon),
            environment,
            str(self.directory),
            childFDs={0: "w", 1: "r", 2: "r", **passed},
        )
        return self.keep(Process(output, transport))

    async def ready(self, path: str, *sockets: socket.socket, **more: str) -> Process:
        """Start the daemon, and wait until it says that it is ready."""
        self.heard()
        self.notices.clear()
        process = self.serve(path, *sockets, **more)
        await until(
            lambda: not process.running or any("READY=1" in x for x in self.heard())
        )
        self.assertTrue(process.running, process.text())
        return process


class NotifyTests(SystemdCase):
    """Messages to systemd."""

    async def test_life(self) -> None:
        """Ready when the port serves, and a stop is told when it begins."""
        process = await self.ready(self.write())
        (said,) = [x for x in self.heard() if "READY=1" in x]
        port = int(re.findall(r"port=(\d+)", said)[0])
        code, _, _ = await self.get(f"http://127.0.0.1:{port}/v2/")
        self.assertEqual(code, 200)
        await process.end()
        self.assertEqual(self.heard()[-1], "STOPPING=1\nEXTEND_TIMEOUT_USEC=40000000")

    async def test_not_ready(self) -> None:
        """A daemon that cannot start never says that it is ready."""
        storage = {"filesystem": {"rootdirectory": "/proc/registry"}}
        process = self.serve(self.write(storage=storage))
        await process.output.ended
        self.assertEqual(process.output.status.exitCode, 1)
        self.assertEqual([x for x in self.heard() if "READY" in x], [])

    async def test_watchdog(self) -> None:
        """Signs of life come from the reactor: they end while it does not turn."""
        process = await self.ready(self.write(), WATCHDOG_USEC="200000")
        await until(lambda: self.heard().count("WATCHDOG=1") > 3)
        process.transport.signalProcess(signal.SIGSTOP)
        # What was sent before the signal took effect is read first.
        await sleep(0.2)
        before = len(self.heard())
        await sleep(0.5)
        self.assertEqual(len(self.heard()), before)
        process.transport.signalProcess(signal.SIGCONT)
        await until(lambda: len(self.heard()) > before + 3)

    async def test_abort(self) -> None:
        """The signal of the watchdog leaves the place where the reactor was."""
        process = await self.ready(self.write())
        process.transport.signalProcess(signal.SIGABRT)
        await process.output.ended
        self.assertEqual(process.output.status.signal, 6)
        self.assertIn("Fatal Python error: Aborted", process.text())
        self.assertIn("in mainLoop", process.text())


class ActivationTests(SystemdCase):
    """Sockets that are handed over."""

    async def test_address(self) -> None:
        """The socket decides, and the log says so where the file differs."""
        opened = self.listening()
        port = opened.getsockname()[1]
        path = self.write(http={"addr": "192.0.2.1:1"}, storage="inmemory")
        process = await self.ready(path, opened)
        code, _, _ = await self.get(f"http://127.0.0.1:{port}/v2/")
        self.assertEqual(code, 200)
        self.assertIn(
            f"systemd's socket unit decides where to listen: 127.0.0.1:{port};"
            " http.addr (192.0.2.1:1) has no effect",
            process.text(),
        )

    async def test_several(self) -> None:
        """All that are handed over serve."""
        sockets = [self.listening() for _ in range(2)]
        ports = [opened.getsockname()[1] for opened in sockets]
        path = self.write(http={"addr": f"127.0.0.1:{ports[1]}"}, storage="inmemory")
        process = await self.ready(path, *sockets)
        for port in ports:
            code, _, _ = await self.get(f"http://127.0.0.1:{port}/v2/")
            self.assertEqual(code, 200)
        self.assertNotIn("no effect", process.text())

    async def test_no_socket(self) -> None:
        """A descriptor that is none is told, and the process ends."""
        with (self.directory / "file").open("w+b") as file:
            process = self.serve(self.write(), file)
            await process.output.ended
        self.assertEqual(process.output.status.exitCode, 78, process.text())

    async def test_tls(self) -> None:
        """A socket that is handed over speaks TLS where the file says so."""
        certificate, key = make_certificate(self.directory, "server")
        opened = self.listening()
        port = opened.getsockname()[1]
        tls = {"certificate": str(certificate), "key": str(key)}
        http = {"addr": f"127.0.0.1:{port}", "tls": tls}
        await self.ready(self.write(http=http), opened)
        self.http = HTTPClient(Agent(reactor, Trusting(certificate.read_bytes())))
        code, _, _ = await self.get(f"https://127.0.0.1:{port}/v2/")
        self.assertEqual(code, 200)

    async def test_restarts(self) -> None:
        """Restarts under load: each connection is answered, none is refused or cut."""
        opened = self.listening()
        port = opened.getsockname()[1]
        path = self.write(http={"addr": f"127.0.0.1:{port}"})
        process = await self.ready(path, opened)
        over = threading.Event()

        def ask() -> int:
            answers = 0
            while not over.is_set():
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/v2/", timeout=60
                ) as answer:
                    assert answer.read() == b"{}"
                answers += 1
            return answers

        asking = [deferToThread(ask) for _ in range(8)]
        for _ in range(3):
            await sleep(0.5)
            await process.end()
            process = await self.ready(path, opened)
        over.set()
        for answers in asking:
            self.assertGreater(await answers, 3)


class UnitTests(IntegrationCase):
    """The units of the Debian package, as systemd reads them."""

    def copy(self) -> list[str]:
        """Copy the units, with commands that are there."""
        paths = []
        for name in ("txregistry.service", "txregistry.socket", "txregistry@1.service"):
            source = Path(__file__).parents[2] / "debian" / name.replace("@1", "@")
            paths.append(str(self.directory / name))
            text = source.read_text()
            text = text.replace("/usr/lib/txregistry/bin", str(Path(TWISTD).parent))
            Path(paths[-1]).write_text(text)
        return paths

    async def test_verify(self) -> None:
        """There is nothing that systemd does not know."""
        require("systemd-analyze")
        said = await run(which("systemd-analyze"), "--man=no", "verify", *self.copy())
        self.assertEqual(said, "")

    async def test_exposure(self) -> None:
        """The service is exposed to 2.0 of 10 at most."""
        require("systemd-analyze")
        service, _, one_of_several = self.copy()
        options = ("--offline=true", "--threshold=20", "--no-pager")
        for unit in (service, one_of_several):
            await run(which("systemd-analyze"), "security", *options, unit)


class ControlTests(SystemdCase):
    """The control socket in the directory of the unit."""

    async def test_collect(self) -> None:
        """The command finds the socket by a link beside the data."""
        runtime = self.directory / "run"
        runtime.mkdir()
        path = self.write()
        process = await self.ready(path, RUNTIME_DIRECTORY=str(runtime))
        link = self.directory / "data" / "txregistry" / "control.sock"
        self.assertEqual(Path(os.readlink(link)).parent, runtime)
        command = str(Path(TWISTD).with_name("txregistry"))
        said = await output(command, "garbage-collect", "--json", path)
        self.assertEqual(json.loads(said)["repositories"], 0)
        await process.end()
        self.assertEqual(list(runtime.iterdir()), [])
        # Without the daemon the command works alone.
        said = await output(command, "garbage-collect", "--json", path)
        self.assertEqual(json.loads(said)["repositories"], 0)
