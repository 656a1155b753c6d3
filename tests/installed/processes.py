"""Several processes on one storage and one port: ``txregistry@.service``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from tests.installed.images import Images, Pulls
from tests.installed.machine import UPSTREAM, Machine, Upstream
from tests.installed.shell import attempt, check, run, until
from tests.installed.steps import (
    APT,
    MOST_EXPOSURE,
    STATE,
    check_journal,
    exposure,
    left,
)
from tests.installed.trees import HIGHER, PACKAGES

CONFIG = "/etc/txregistry/config.yml"

NUMBERS = ("1", "2")
UNITS = tuple(f"txregistry@{number}.service" for number in NUMBERS)
ALONE = ("txregistry.socket", "txregistry.service")

#: What docs/several-processes.md wants of the conffile, and where to push.
CHANGES = (
    r"s|rootdirectory: .*|&\n    shared: true|",
    r"s|^http:|&\n  reuseport: true|",
    rf"s|remoteurl: .*|remoteurl: http://{UPSTREAM}:5000\n  local: [team/**]|",
)

#: Seconds that one has to end: it drains, and systemd waits for it so long.
STOP_SECONDS = 45


class Processes:
    """The steps, on a machine without our package."""

    def __init__(self, machine: Machine, upstream: Upstream, images: Images) -> None:
        self.machine, self.upstream, self.images = machine, upstream, images

    def all(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Give the steps with their names."""
        yield "two processes", self.start
        yield "pull through both", self.pull
        yield "push through both", self.push
        yield "one serves what the other has", self.alone
        yield "reload one", self.reload
        yield "verify by one", self.verify
        yield "collect while both are read-only", self.collect
        yield "upgrade of both under load", self.upgrade
        yield "kill one", self.kill
        yield "stop both", self.stop
        yield "remove and reinstall both", self.reinstall
        yield "purge both", self.purge

    def start(self) -> str:
        """Install, and go over from one process to two."""
        sh = self.machine.sh
        sh(f"{APT} install {PACKAGES}/txregistry.deb")
        for change in CHANGES:
            self.machine.run("sed", "-i", change, CONFIG)
        for number in NUMBERS:
            variable = f"REGISTRY_HTTP_DEBUG_ADDR=127.0.0.1:510{number}"
            sh(f"echo {variable} > /etc/txregistry/{number}.env")
        sh(f"systemctl disable --now {' '.join(ALONE)}")
        sh(f"systemctl enable --now {' '.join(UNITS)}")
        self._check_running()
        for number in NUMBERS:
            place = f"/var/lib/txregistry-process-{number}"
            owner = self.machine.run("stat", "-c", "%U:%a", place).strip()
            # Closer than the unit says: names, and incoming bytes, are private.
            check(owner == "txregistry:700", f"{place} is {owner}")
            self.machine.run("test", "-S", f"{place}/control.sock")
            health = self._health(number)
            check(health == "200", f"the debug listener of {number} says {health}")
        figure = exposure(self.machine, UNITS[0])
        check(figure <= MOST_EXPOSURE, f"exposure {figure}")
        return f"both run, exposure {figure}"

    def pull(self) -> str:
        """Pull until each has sent a manifest."""
        return self._through_both(
            lambda: self.images.pull("small"), "GET /v2/test/small/manifests/"
        )

    def push(self) -> str:
        """Push until each has taken a manifest; then pull it until each has sent it."""
        pushed = self._through_both(
            lambda: self.images.push_to_cache("small", "team/app"),
            "PUT /v2/team/app/manifests/",
        )
        pulled = self._through_both(
            lambda: self.images.pull("small", "team/app"), "GET /v2/team/app/manifests/"
        )
        return f"{pushed}; pulls: {pulled}"

    def _through_both(self, act: Callable[[], None], request: str) -> str:
        """Do something until both have answered a request; give how often they did."""

        def counts() -> list[int]:
            return [self._journal(unit).count(f'"{request}') for unit in UNITS]

        def both() -> bool:
            act()
            return all(counts())

        until(f"both answer {request}", both)
        return " and ".join(map(str, counts()))

    def alone(self) -> str:
        """Stop one, then the other: the one that is left has all that both took."""
        self.upstream.end()
        for stopped in UNITS:
            self.machine.run("systemctl", "stop", stopped)
            self.images.pull("small")
            self.images.pull("small", "team/app")
            self.machine.run("systemctl", "start", stopped)
        self.upstream.begin()
        self._check_running()
        return "also without the upstream"

    def reload(self) -> str:
        """Reload one, and then one with a mistake: the other one notices nothing."""
        first, second = UNITS
        before = self._pids()
        self._edit("s/level: info/level: debug/")
        self.machine.run("systemctl", "reload", first)
        self._check_told(first, "reloaded, changed: log.level")
        self._check_told(second, "ready on")
        self._edit("s/level: debug/level: nonsense/")
        done = self.machine.attempt("systemctl", "reload", second)
        check(done.returncode == 1, f"systemctl reload: {done}")
        self._check_told(second, "previous configuration stays in force")
        self._check_told(first, "reloaded, changed: log.level")
        self._edit("s/level: nonsense/level: info/")
        self.machine.run("systemctl", "reload", "txregistry@*")
        self._check_told(first, "reloaded, changed: log.level")
        self._check_told(second, "nothing has changed")
        check(self._pids() == before, "one was restarted")
        return "only that one has changed; a mistake changes nothing"

    def verify(self) -> str:
        """Have one read all that both have stored; without it root would be refused."""
        own = f"STATE_DIRECTORY=/var/lib/txregistry-process-{NUMBERS[1]}"
        told = self.machine.run("env", own, "txregistry", "verify", "-c", CONFIG)
        return told.strip().splitlines()[-1]

    def collect(self) -> str:
        """Collect a registry as the page says: nobody may push meanwhile."""
        readonly = "  maintenance: {readonly: {enabled: true}}"
        self.machine.sh(f"cp -p {CONFIG} /root/cache")
        self._edit("/^proxy:/,$d")
        self.machine.run("systemctl", "restart", *UNITS)
        self._edit(rf"s|^storage:|&\n{readonly}|")
        self.machine.run("systemctl", "reload", "txregistry@*")
        for unit in UNITS:
            self._check_told(unit, "changed: storage.maintenance.readonly")
        self._check_begins("405")
        command = ("txregistry", "garbage-collect", "--unlocked", CONFIG)
        told = self.machine.run("runuser", "-u", "txregistry", "--", *command)
        self._edit(f"/^{readonly}$/d")
        self.machine.run("systemctl", "reload", "txregistry@*")
        self._check_begins("202")
        self.images.pull("small", "team/app")
        self.machine.sh(f"cp -p /root/cache {CONFIG}; systemctl restart {UNITS[0]}")
        self.machine.run("systemctl", "restart", UNITS[1])
        return told.strip().splitlines()[-1]

    def _check_begins(self, expected: str) -> None:
        """Begin pushes, of which both take some: of 20 none goes to one in 2^19."""
        for _ in range(20):
            status = self._status("/v2/team/app/blobs/uploads/", "-X", "POST")
            check(status == expected, f"a push begins with {status}")

    def upgrade(self) -> str:
        """Install a higher version while clients pull: both are renewed in turn."""
        before = self._pids()
        # As the page says: connections that one has not accepted go to the other.
        enter = ("ip", "netns", "exec", self.machine.network.machine)
        run(*enter, "sysctl", "-q", "-w", "net.ipv4.tcp_migrate_req=1")
        with Pulls(self.images, "small", clients=3) as pulls:
            until("clients pull", lambda: pulls.done >= 3)
            self.machine.sh(f"{APT} install {PACKAGES}/higher.deb")
            upgraded = pulls.done
            until("clients pull on", lambda: pulls.done >= upgraded + 6)
        check(not pulls.failures, f"{len(pulls.failures)} failed: {pulls.failures[:3]}")
        check(not set(self._pids()) & set(before), "one was not restarted")
        version = self.machine.sh("dpkg-query -W -f '${Version}' txregistry")
        check(version == HIGHER, f"the version is {version}")
        self._check_running()
        return f"{pulls.done} pulls, none failed"

    def kill(self) -> str:
        """Kill one: the other answers at once, and it comes back."""
        killed = UNITS[0]
        restarts = int(self.machine.show("NRestarts", killed))
        self.machine.sh(f"kill -KILL {self.machine.show('MainPID', killed)}")
        until("it is seen", lambda: self.machine.show("MainPID", killed) == "0", 5)
        for _ in range(20):
            status = self._status("/v2/")
            check(status == "200", f"the other one says {status}")
        seconds = until(
            "it runs again",
            lambda: (
                int(self.machine.show("NRestarts", killed)) > restarts
                and self.machine.show("ActiveState", killed) == "active"
            ),
        )
        self._check_running()
        return f"the other one answers; back after {seconds:.0f} s"

    def stop(self) -> str:
        """Stop them: they end well and in time, and leave the port."""
        began, said = time.monotonic(), [len(self._journal(unit)) for unit in UNITS]
        self.machine.run("systemctl", "stop", *UNITS)
        took = time.monotonic() - began
        check(took < STOP_SECONDS, f"it takes {took:.0f} s")
        for unit, before in zip(UNITS, said, strict=True):
            state = [self.machine.show(x, unit) for x in ("ActiveState", "Result")]
            check(state == ["inactive", "success"], f"{unit} is {state}")
            check_journal(self._journal(unit)[before:], "warn")
        status = self._status("/v2/")
        check(status == "000", f"somebody answers with {status}")
        listed = self.machine.sh("ls /run")
        check("txregistry" not in listed, f"left in /run: {listed}")
        self.machine.run("systemctl", "start", *UNITS)
        self._check_running()
        return f"within {took:.0f} s"

    def reinstall(self) -> str:
        """Remove, and install again: both run, with what they had."""
        self.machine.sh(f"{APT} remove txregistry")
        listed = self.machine.sh("systemctl list-units --all 'txregistry*' --plain")
        check("running" not in listed, f"units are left: {listed}")
        check(self._status("/v2/") == "000", "somebody answers")
        self.machine.run("test", "-d", f"{STATE}/docker")
        self.machine.sh(f"{APT} install {PACKAGES}/higher.deb")
        self._check_running()
        self.upstream.end()
        self.images.pull("small")
        self.upstream.begin()
        return "both run, cache still warm"

    def purge(self) -> str:
        """Purge while both run: of ours nothing is left, of the administrator all."""
        self.machine.sh(f"{APT} purge txregistry")
        mine = sorted(f"/etc/txregistry/{number}.env" for number in NUMBERS)
        kept = self.machine.sh("find /etc/txregistry -type f").split()
        check(sorted(kept) == mine, f"of /etc/txregistry is left: {kept}")
        self.machine.sh("rm -r /etc/txregistry")
        found = left(self.machine)
        check(not found, f"left behind: {found}")
        self.machine.run("systemctl", "daemon-reload")
        listed = self.machine.sh(
            "systemctl list-unit-files; systemctl list-units --all"
        )
        units = [line for line in listed.splitlines() if "txregistry" in line]
        # systemd has made it for the instances, and keeps it until it boots again.
        units = [line for line in units if "system-txregistry.slice" not in line]
        check(not units, f"units are left: {units}")
        return "nothing of ours left"

    def _check_running(self) -> None:
        """Find these running and enabled, and the ones for one process neither."""
        for unit in UNITS:
            state = self.machine.show("SubState", unit)
            check(state == "running", f"{unit} is {state}")
            enabled = self.machine.run("systemctl", "is-enabled", unit).strip()
            check(enabled == "enabled", f"{unit} is {enabled}")
        for unit in ALONE:
            state = self.machine.show("ActiveState", unit)
            check(state == "inactive", f"{unit} is {state}")

    def _check_told(self, unit: str, text: str) -> None:
        told = self.machine.show("StatusText", unit)
        check(text in told, f"{unit} says: {told}")

    def _pids(self) -> list[str]:
        return [self.machine.show("MainPID", unit) for unit in UNITS]

    def _edit(self, change: str) -> None:
        self.machine.run("sed", "-i", change, CONFIG)

    def _journal(self, unit: str) -> str:
        return self.machine.run("journalctl", "--no-pager", "-o", "cat", "-u", unit)

    def _status(self, path: str, *options: str) -> str:
        """Ask with a connection of its own; give the status, or 000 without one."""
        form = ("-o", "/dev/null", "-w", "%{http_code}")
        return self.images.curl(path, *form, *options)[-3:]

    def _health(self, number: str) -> str:
        """Ask the debug listener of one for its health; give the status."""
        enter = ("ip", "netns", "exec", self.machine.network.machine, "curl", "-sS")
        url = f"http://127.0.0.1:510{number}/debug/health"
        form = ("-o", "/dev/null", "-w", "%{http_code}")
        return attempt(*enter, *form, url).stdout[-3:]
