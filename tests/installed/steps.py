"""What an administrator does with the package, and what may happen to the service."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.installed.full_disk import STATE, FullDisk
from tests.installed.images import Images, Pulls
from tests.installed.machine import UPSTREAM, Machine, Upstream
from tests.installed.shell import check, run, until
from tests.installed.trees import HIGHER, PACKAGES

#: As ``systemd-analyze security`` counts.
MOST_EXPOSURE = 2.0

#: Seconds after which the watchdog may have acted: its time, and that of the signal.
WATCHDOG_SECONDS = 90

APT = "DEBIAN_FRONTEND=noninteractive apt-get -q -y"

#: Keep a name for longer than a package is there, for others than us.
MEMORIES = (
    *("/proc", "/sys", "/run/log", "/var/log", "/root/packages", "/var/cache/apt"),
    *("/var/lib/apt", "/tmp", "/dev"),
)


class Steps:
    """The steps in their order; each gives a line about how it went."""

    def __init__(self, machine: Machine, upstream: Upstream, images: Images) -> None:
        self.machine, self.upstream, self.images = machine, upstream, images

    def all(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Give the steps with their names."""
        yield "install", self.install
        yield "tests of the package", self.smoke
        yield "hardening", self.hardening
        yield "journal", self.journal
        yield "pull through the cache", self.pull
        yield "pull without the upstream", self.pull_without_upstream
        yield "TLS", self.tls
        yield "reload in a download", self.reload
        yield "upgrade under load", self.upgrade
        yield "kill", self.kill
        yield "hang", self.hang
        yield "full disk", self.full_disk
        yield "remove and reinstall", self.reinstall
        yield "purge", self.purge

    def install(self) -> str:
        """Install, and find the service running on its address."""
        began = time.monotonic()
        self.machine.sh(f"{APT} install {PACKAGES}/txregistry.deb")
        took = time.monotonic() - began
        self._check_running()
        for unit in ("txregistry.service", "txregistry.socket"):
            enabled = self.machine.run("systemctl", "is-enabled", unit).strip()
            check(enabled == "enabled", f"{unit} is {enabled}")
        check(self.images.curl("/v2/") == "{}", "it does not answer")
        owner = self.machine.run("stat", "-c", "%U:%G:%a", STATE).strip()
        check(owner == "txregistry:txregistry:750", f"{STATE} is {owner}")
        version = self.machine.run("txregistry", "--version").strip()
        return f"{version} runs, {took:.0f} s"

    def smoke(self) -> str:
        """Run what autopkgtest would."""
        self.machine.sh(f"{APT} install curl; /root/smoke")
        return "they pass"

    def hardening(self) -> str:
        """Ask systemd how exposed the running unit is."""
        figure = exposure(self.machine, "txregistry")
        check(figure <= MOST_EXPOSURE, f"exposure {figure}")
        return f"exposure {figure}"

    def journal(self) -> str:
        """Find that it is ready, and no warning, in the journal."""
        said = self.machine.journal("-o", "cat")
        check("ready on" in said, "it does not say it is ready")
        check_journal(said, "warn")
        return f"{len(said.splitlines())} lines, no warning"

    def pull(self) -> str:
        """Name our upstream in the conffile, restart, and pull."""
        remote = f"s|remoteurl: .*|remoteurl: http://{UPSTREAM}:5000|"
        self.machine.run("sed", "-i", remote, "/etc/txregistry/config.yml")
        self.machine.run("systemctl", "restart", "txregistry")
        self.images.pull("small")
        return "the layer is right"

    def pull_without_upstream(self) -> str:
        """Pull what is cached while the upstream is gone."""
        self.upstream.end()
        self.images.pull("small")
        self.upstream.begin()
        return "the layer is right"

    def tls(self) -> str:
        """Serve with TLS: its callbacks are what a hardened unit may forbid."""
        place, drop = "/etc/txregistry/tls", "/etc/systemd/system/txregistry.service.d"
        self.machine.sh(f"mkdir -p {place} {drop}")
        self._certify(self.machine.tree / place.lstrip("/"))
        self.machine.sh(f"chown -R root:txregistry {place}; chmod -R g+rX {place}")
        keys = ("CERTIFICATE", "KEY")
        lines = [f"Environment=REGISTRY_HTTP_TLS_{x}={place}/{x.lower()}" for x in keys]
        text = "\n".join(["[Service]", *lines])
        self.machine.sh(f"echo '{text}' > {drop}/tls.conf")
        self.machine.sh("systemctl daemon-reload; systemctl restart txregistry")
        form = "%{http_code} over HTTP/%{http_version}"
        told = self.images.tls_curl("/v2/", "-k", "-o", "/dev/null", "-w", form)
        check(told == "200 over HTTP/1.1", f"with TLS: {told}")
        self.machine.sh(f"rm -r {place} {drop}; systemctl daemon-reload")
        self.machine.sh("systemctl restart txregistry")
        return told

    def _certify(self, place: Path) -> None:
        run(
            *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"),
            *("-keyout", place / "key", "-out", place / "certificate"),
        )

    def reload(self) -> str:
        """Reload while a client takes a layer slowly."""
        if not self._can_reload():
            return "skipped: this daemon cannot reload"
        before = self.machine.show("MainPID")
        taken = self.images.place / "taken"
        rate = ("--limit-rate", "8M", "-o", str(taken))
        curl = self.images.start_curl(self.images.blob("large"), *rate)
        until("the download runs", lambda: taken.exists() and taken.stat().st_size)
        self.machine.run("systemctl", "reload", "txregistry")
        check(curl.poll() is None, "the download was over before the reload")
        curl.wait()
        digest = hashlib.sha256(taken.read_bytes()).hexdigest()
        check(digest == self.images.layers["large"], "the download is damaged")
        check(self.machine.show("MainPID") == before, "it was restarted")
        until("it runs", lambda: self.machine.show("ActiveState") == "active")
        self._reload_broken()
        return f"{taken.stat().st_size} bytes came whole; a broken file changes nothing"

    def _reload_broken(self) -> None:
        """Reload a file with a mistake, and the right one again."""
        path = "/etc/txregistry/config.yml"
        wrong = f"sed -i 's/level: info/level: nonsense/' {path}"
        self.machine.sh(f"cp -p {path} /root/right; {wrong}")
        for told, status in (
            ("previous configuration stays in force", 1),
            ("nothing has changed", 0),
        ):
            done = self.machine.attempt("systemctl", "reload", "txregistry")
            check(done.returncode == status, f"systemctl reload: {done}")
            # The outcome is there when the command ends.
            check(told in self.machine.show("StatusText"), f"it is not told: {told}")
            check(self.images.curl("/v2/") == "{}", "it does not answer")
            self.machine.sh(f"cp -p /root/right {path}")
        said = self.machine.journal("-n", "50")
        check("log.level: " in said, "the journal has no reason")

    def _can_reload(self) -> bool:
        place = "/usr/lib/txregistry/lib/python3*/site-packages/txregistry"
        return not self.machine.attempt(
            "sh", "-c", f"ls {place}/daemon/reload.py"
        ).returncode

    def upgrade(self) -> str:
        """Install a higher version while clients pull."""
        before = self.machine.show("MainPID")
        with Pulls(self.images, "small", clients=3) as pulls:
            until("clients pull", lambda: pulls.done >= 3)
            self.machine.sh(f"{APT} install {PACKAGES}/higher.deb")
            upgraded = pulls.done
            until("clients pull on", lambda: pulls.done >= upgraded + 6)
        check(not pulls.failures, f"{len(pulls.failures)} failed: {pulls.failures[:3]}")
        check(self.machine.show("MainPID") != before, "it was not restarted")
        version = self.machine.sh("dpkg-query -W -f '${Version}' txregistry")
        check(version == HIGHER, f"the version is {version}")
        remote = self.machine.sh("grep remoteurl /etc/txregistry/config.yml")
        check(UPSTREAM in remote, "the changed conffile was lost")
        return f"{pulls.done} pulls, none failed"

    def kill(self) -> str:
        """Kill the daemon: it comes back with its cache."""
        restarts = self._restarts()
        self.machine.sh(f"kill -KILL {self.machine.show('MainPID')}")
        seconds = self._until_restarted(restarts, 60)
        self._check_cache()
        return f"back after {seconds:.0f} s, cache intact"

    def hang(self) -> str:
        """Stop the process: the watchdog starts another."""
        restarts = self._restarts()
        self.machine.sh(f"kill -STOP {self.machine.show('MainPID')}")
        seconds = self._until_restarted(restarts, WATCHDOG_SECONDS)
        check("atchdog timeout" in self.machine.journal(), "it was not the watchdog")
        self._check_cache()
        return f"back after {seconds:.0f} s, cache intact"

    def _restarts(self) -> int:
        return int(self.machine.show("NRestarts"))

    def _until_restarted(self, restarts: int, seconds: float) -> float:
        return until(
            "it runs again",
            lambda: (
                self._restarts() > restarts
                and self.machine.show("ActiveState") == "active"
            ),
            seconds,
        )

    def _check_cache(self) -> None:
        """Pull what is cached, without the upstream."""
        self.upstream.end()
        self.images.pull("small")
        self.upstream.begin()

    def full_disk(self) -> str:
        """Fill a small state directory, and make room again."""
        told = FullDisk(self.machine, self.images).run()
        self._check_running()
        return told

    def reinstall(self) -> str:
        """Remove, and install again: the cache is still warm."""
        self.machine.sh(f"{APT} remove txregistry")
        listed = self.machine.sh("systemctl list-units --all 'txregistry*' --plain")
        check("running" not in listed, f"units are left: {listed}")
        check(not self.images.curl("/v2/").startswith("{"), "it still answers")
        self.machine.run("test", "-d", f"{STATE}/docker")
        self.machine.sh(f"{APT} install {PACKAGES}/higher.deb")
        self._check_running()
        self._check_cache()
        return "cache still warm"

    def purge(self) -> str:
        """Purge: nothing is left."""
        self.machine.sh(f"{APT} purge txregistry")
        found = left(self.machine)
        check(not found, f"left behind: {found}")
        accounts = self.machine.sh("getent passwd; getent group")
        check("txregistry" not in accounts, "the user is left")
        # systemd forgets what it wanted in memory when it reads its units again.
        self.machine.run("systemctl", "daemon-reload")
        units = self.machine.sh("systemctl list-unit-files; systemctl list-units --all")
        check("txregistry" not in units, f"units are left: {units}")
        return "nothing left"

    def _check_running(self) -> None:
        for unit, state in (
            ("txregistry.service", "running"),
            ("txregistry.socket", "running"),
        ):
            told = self.machine.show("SubState", unit)
            check(told == state, f"{unit} is {told}")


def exposure(machine: Machine, unit: str) -> float:
    """Give how exposed a running unit is, as systemd counts."""
    told = machine.run("systemd-analyze", "--no-pager", "security", unit)
    return float(re.findall(r"exposure level .*: ([\d.]+)", told)[0])


def check_journal(said: str, *levels: str) -> None:
    """Find nothing in a journal that went wrong, and nothing of these levels."""
    words = "|".join(("error", "critical", *levels))
    bad = re.compile(rf"\b({words}) \[|Traceback|Permission|denied")
    found = [line for line in said.splitlines() if bad.search(line)]
    check(not found, f"the journal has: {found}")


def left(machine: Machine) -> list[str]:
    """Give what has our name on the disk of a machine."""
    passed = " -o ".join(f"-path {place}" for place in MEMORIES)
    find = f"find / \\( {passed} \\) -prune -o -name '*txregistry*' -print"
    return machine.sh(find).split()
