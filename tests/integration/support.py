"""Real processes on loopback: our daemon, Debian's registry, clients."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import yaml
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectError,
    ConnectionLost,
    ProcessExitedAlready,
)
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest, TestCase
from twisted.web.client import Agent, ResponseNeverReceived
from twisted.web.server import Site

from tests.integration.forked import can_fork, finished, shared_forkserver
from txregistry.testing.upstream import FakeUpstream

TWISTD = str(Path(sys.executable).parent / "twistd")


def find(program: str) -> str | None:
    """Find a program, also among those that were unpacked beside our commands."""
    place = os.pathsep.join([os.environ["PATH"], str(Path(sys.executable).parent)])
    return shutil.which(program, path=place)


def require(*programs: str) -> None:
    """Skip without a program, saying which; on CI, fail."""
    missing = [program for program in programs if find(program) is None]
    if missing and os.environ.get("CI"):
        raise AssertionError(f"on CI these have to be there: {missing}")
    if missing:
        raise SkipTest(f"not installed: {', '.join(missing)}")


#: Says to other processes of tests which ports are ours.
_reserved: deque[socket.socket] = deque(maxlen=200)


def free_port() -> int:
    """Find a port that is free now, below those that the kernel gives to clients.

    One of those could be taken between our looking and the daemon's listening. So that
    no other test takes it, it is reserved until two hundred others were given.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        reserved = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe, suppress(OSError):
            reserved.bind(f"\0txregistry-tests-{port}")
            probe.bind(("127.0.0.1", port))
            _reserved.append(reserved)
            return port
        reserved.close()


def listens(port: int | None) -> bool:
    """Tell whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Output(ProcessProtocol):
    """Keeps what a process writes, and tells when it ends."""

    def __init__(self) -> None:
        self.text = b""
        self.ended: Deferred[None] = Deferred()
        self.status: Any = None

    def outReceived(self, data: bytes) -> None:
        self.text += data

    errReceived = outReceived

    def processEnded(self, reason: Any) -> None:
        self.status = reason.value
        self.ended.callback(None)


@attrs.define(eq=False)
class Process:
    """A process that we started."""

    output: Output
    transport: Any

    @property
    def pid(self) -> int:
        return self.transport.pid

    @property
    def running(self) -> bool:
        return not self.output.ended.called

    def text(self) -> str:
        return self.output.text.decode("utf-8", "replace")

    async def end(self, how: str = "TERM") -> None:
        if self.running:
            with suppress(ProcessExitedAlready):  # its end is about to be told
                self.transport.signalProcess(how)
            await self.output.ended

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(x for x in status.splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(*argv: str, env: dict[str, str] | None = None, cwd: str = ".") -> Process:
    """Start a process in a group of its own."""
    output = Output()
    full = {**os.environ, **(env or {})}
    transport = reactor.spawnProcess(output, argv[0], argv, full, cwd)
    return Process(output, transport)


async def start_daemon(
    *arguments: str, env: dict[str, str] | None = None, cwd: str = "."
) -> Process:
    """Start ``twistd``, by :mod:`tests.integration.forkserver` as :func:`run` does.

    By :func:`start` it takes three times as much CPU time: for what is about the start.
    """
    output, full = Output(), {**os.environ, **(env or {})}
    if not can_fork(TWISTD, full):
        return start(TWISTD, *arguments, env=env, cwd=cwd)
    server = shared_forkserver()
    return Process(output, await server.fork(output, (TWISTD, *arguments), full, cwd))


async def sleep(seconds: float) -> None:
    await deferLater(reactor, seconds)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, for a minute at most."""
    for _ in range(1200):
        if is_so():
            return
        await sleep(0.05)
    raise AssertionError("it never is")


async def run(*argv: str, env: dict[str, str] | None = None) -> str:
    """Run a command to its end; a failure shows what it said."""
    out, err = await _finished(argv, env)
    return out + err


async def output(*argv: str, env: dict[str, str] | None = None) -> str:
    """Run a command; give its standard output only, where machines read."""
    return (await _finished(argv, env))[0]


async def _finished(
    argv: tuple[str, ...], env: dict[str, str] | None
) -> tuple[str, str]:
    full = {**os.environ, **(env or {})}
    if can_fork(argv[0], full):
        out, err, code = await finished(argv, full)
    else:
        out, err, code = await getProcessOutputAndValue(argv[0], argv[1:], full)
    if code != 0:
        raise AssertionError(f"{argv} ended with {code}: {out!r} {err!r}")
    return out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def which(program: str) -> str:
    found = find(program)
    assert found is not None, program
    return found


@attrs.define(eq=False)
class Registry:
    """A registry process, ours or Debian's."""

    process: Process
    port: int
    root: Path
    debug_port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


class IntegrationCase(TestCase):
    """A directory, processes that end with the test, and an HTTP client."""

    timeout = 120

    def setUp(self) -> None:
        if not os.environ.get("TXREGISTRY_INTEGRATION"):
            raise SkipTest("set TXREGISTRY_INTEGRATION=1, or run make integration")
        # Short, as Unix sockets want it, and without the underscores of ``mkdtemp``:
        # podman takes a path of images for a name, which must not begin with one.
        self.directory = Path(f"/tmp/txr-{secrets.token_hex(4)}")
        self.directory.mkdir(mode=0o700)
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.processes: list[Process] = []
        self.http = HTTPClient(Agent(reactor))
        self.addCleanup(self._end_all)

    async def _end_all(self) -> None:
        for process in reversed(self.processes):
            await process.end("KILL")

    def keep(self, process: Process) -> Process:
        self.processes.append(process)
        return process

    async def wait_for(self, url: str, process: Process) -> None:
        """Wait until a process answers, for 90 seconds at most."""
        port, end = urlsplit(url).port, reactor.seconds() + 90
        while reactor.seconds() < end:
            assert process.running, process.text()
            # An Agent takes a third of a second to see that nobody listens.
            if listens(port) and await self._answers(url):
                return
            await sleep(0.02)
        raise AssertionError(f"{url} does not answer: {process.text()}")

    async def _answers(self, url: str) -> bool:
        with suppress(ConnectError, ConnectionLost, ResponseNeverReceived):
            response = await self.http.get(url)
            await response.content()
            return True
        return False

    async def cache(
        self,
        upstream: str,
        name: str = "cache",
        port: int = 0,
        merge: dict[str, Any] | None = None,
        env: dict[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
        **proxy: Any,
    ) -> Registry:
        """Start our daemon in front of an upstream."""
        section = {"proxy": {"remoteurl": upstream, **proxy}, **(merge or {})}
        return await self.daemon(name, port, section, env, wrapper)

    async def daemon(
        self,
        name: str,
        port: int = 0,
        merge: dict[str, Any] | None = None,
        env: dict[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
    ) -> Registry:
        """Start our daemon.

        :param wrapper: a command that runs another, and becomes it.
        """
        root = self.directory / name
        port, debug_port = port or free_port(), free_port()
        config: dict[str, Any] = {
            "version": "0.1",
            "storage": {
                "filesystem": {"rootdirectory": str(root)},
                "cache": {"blobdescriptor": "inmemory"},
            },
            "http": {
                "addr": f"127.0.0.1:{port}",
                "debug": {
                    "addr": f"127.0.0.1:{debug_port}",
                    "prometheus": {"enabled": True},
                },
            },
            **(merge or {}),
        }
        path = self.directory / f"{name}.yml"
        path.write_text(yaml.safe_dump(config))
        arguments = ("-n", "--pidfile=", "registry", "-c", str(path))
        env = {"NO_PROXY": "*"} if env is None else env
        cwd = str(self.directory)
        if wrapper:
            process = start(*wrapper, TWISTD, *arguments, cwd=cwd, env=env)
        else:
            process = await start_daemon(*arguments, cwd=cwd, env=env)
        self.keep(process)
        registry = Registry(process, port, root, debug_port)
        await self.wait_for(f"{registry.url}/v2/", process)
        return registry

    async def debian_registry(
        self,
        name: str = "upstream",
        port: int = 0,
        root: Path | None = None,
        merge: dict[str, Any] | None = None,
        url: str = "",
    ) -> Registry:
        """Start Debian's docker-registry.

        :param url: where it answers, if that is not ``/v2/`` on plain HTTP.
        """
        require("docker-registry")
        root = root or self.directory / name
        port = port or free_port()
        config = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {
                "filesystem": {"rootdirectory": str(root)},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{port}"},
            **(merge or {}),
        }
        path = self.directory / f"{name}.yml"
        path.write_text(yaml.safe_dump(config))
        process = self.keep(start(which("docker-registry"), "serve", str(path)))
        registry = Registry(process, port, root)
        await self.wait_for(url or f"{registry.url}/v2/", process)
        return registry

    def fake_upstream(self) -> tuple[FakeUpstream, str]:
        """Serve a fake upstream on a port of this process."""
        upstream = FakeUpstream(reactor)
        port = reactor.listenTCP(0, Site(upstream), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return upstream, f"http://127.0.0.1:{port.getHost().port}"

    async def get(self, url: str, **headers: str) -> tuple[int, Any, bytes]:
        """Fetch a URL whole."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.http.get(url, headers=named, unbuffered=True)
        return response.code, response.headers, await response.content()

    async def metric(self, registry: Registry, line: str) -> float:
        _, _, body = await self.get(f"http://127.0.0.1:{registry.debug_port}/metrics")
        for found in body.decode().splitlines():
            if found.startswith(line):
                return float(found.rpartition(" ")[2])
        raise AssertionError(f"no metric {line}")
