"""A booted machine, the network between it and one upstream, and that upstream."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.installed.shell import Failed, attempt, run, until

#: A network for tests between devices (RFC 2544).
UPSTREAM, MACHINE = "198.18.0.1", "198.18.0.2"

ENVIRONMENT = "PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root"


class Network:
    """Two namespaces with one cable: nothing else leads in or out."""

    def __init__(self) -> None:
        self.machine = f"txr-{os.getpid()}-m"
        self.upstream = f"txr-{os.getpid()}-u"

    def begin(self) -> None:
        """Make it."""
        for name in (self.machine, self.upstream):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run(
            *("ip", "-n", self.machine, "link", "add", "uplink", "type", "veth"),
            *("peer", "name", "downlink", "netns", self.upstream),
        )
        for name, link, address in (
            (self.machine, "uplink", MACHINE),
            (self.upstream, "downlink", UPSTREAM),
        ):
            run("ip", "-n", name, "address", "add", f"{address}/30", "dev", link)
            run("ip", "-n", name, "link", "set", link, "up")

    def end(self) -> None:
        """Take it away."""
        for name in (self.machine, self.upstream):
            attempt("ip", "netns", "delete", name)


class Machine:
    """A tree that is booted."""

    def __init__(self, tree: Path, network: Network) -> None:
        self.tree, self.network = tree, network
        self.process: subprocess.Popen[bytes] | None = None
        self.leader = ""

    def boot(self) -> None:
        """Boot, and wait until it is up."""
        namespace = f"/run/netns/{self.network.machine}"
        self.process = subprocess.Popen(
            (
                *("systemd-nspawn", "-q", "-D", self.tree, "--boot", "--register=no"),
                *("--keep-unit", f"--network-namespace-path={namespace}"),
                *("--link-journal=no", "--resolv-conf=off"),
                f"--machine={self.network.machine}",
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        until("the machine is up", self._is_up)

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise Failed(f"systemd-nspawn ended with {self.process.returncode}")
        pid = self.process.pid
        self.leader = Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()
        if not self.leader:
            return False
        state = self.attempt("systemctl", "is-system-running").stdout.strip()
        return state in ("running", "degraded")

    def halt(self) -> None:
        """Shut down, in half a minute at most."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def run(self, *command: str) -> str:
        """Run a command in the machine."""
        return run(*self._enter(), *command)

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one that may fail."""
        return attempt(*self._enter(), *command)

    def sh(self, text: str) -> str:
        """Run a line of shell in the machine."""
        return self.run("sh", "-ec", text)

    def _enter(self) -> list[str]:
        how = ("nsenter", "-t", self.leader, "-m", "-p", "-u", "-i", "-n", "-C", "--")
        return [*how, "env", "-i", *ENVIRONMENT.split()]

    def show(self, name: str, unit: str = "txregistry.service") -> str:
        """Give a property of a unit."""
        return self.run("systemctl", "show", "-P", name, unit).strip()

    def journal(self, *options: str) -> str:
        """Give what the service has said."""
        return self.run("journalctl", "--no-pager", "-u", "txregistry", *options)


class Upstream:
    """Debian's docker-registry at the other end of the cable."""

    def __init__(self, place: Path, network: Network) -> None:
        self.network, self.config = network, place / "upstream.yml"
        self.config.write_text(
            "version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {place}/upstream}}}}\n"
            f"http: {{addr: '{UPSTREAM}:5000'}}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it, and wait until it answers."""
        enter = ("ip", "netns", "exec", self.network.upstream)
        self.process = subprocess.Popen(
            (*enter, "docker-registry", "serve", str(self.config)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ask = ("curl", "-fsS", "-o", "/dev/null", f"http://{UPSTREAM}:5000/v2/")
        until("the upstream answers", lambda: not attempt(*enter, *ask).returncode)

    def end(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None
