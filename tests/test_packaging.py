"""The Debian package: what it pins, and that its files agree with each other."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, requires
from importlib.metadata import version as version_of
from pathlib import Path

import attrs
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from twisted.trial.unittest import SynchronousTestCase

from tests.adopt.fakes import OLD, FakeUnits, facts, write
from txregistry import __version__
from txregistry.adopt.journal import APPLIED, JOURNAL, AdoptJournal, AdoptRecord
from txregistry.adopt.plan import (
    CONFIG,
    KEPT,
    SERVICE_DROP_IN,
    SOCKET_DROP_IN,
    VARIABLES,
    UnitState,
    make_plan,
)
from txregistry.adopt.steps import Step, WriteFile
from txregistry.adopt.takeover import Hands
from txregistry.assembly.loading import load
from txregistry.cli.reload import reload

TOP = Path(__file__).parents[1]
DEBIAN = TOP / "debian"

#: Of the Pythons of Debian 12 and 13, on amd64 and arm64.
MOST_WHEELS = 4

#: Directories that dpkg and others have made, and that are empty now.
MADE = {"/etc/txregistry", "/var/lib"}


def unit(name: str) -> ConfigParser:
    """Read a unit; a key that stands several times counts with its last value."""
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string((DEBIAN / name).read_text())
    return parser


def wanted() -> list[Requirement]:
    """Give what setup.py asks for."""
    (call,) = (
        node
        for node in ast.walk(ast.parse((TOP / "setup.py").read_text()))
        if isinstance(node, ast.keyword) and node.arg == "install_requires"
    )
    return [Requirement(text) for text in ast.literal_eval(call.value)]


def seconds(text: str) -> int:
    """Read a time of a unit."""
    return int(text.removesuffix("s"))


class LockTests(SynchronousTestCase):
    """``debian/requirements.lock``; scripts/lock renews it."""

    def setUp(self) -> None:
        text = (DEBIAN / "requirements.lock").read_text().replace("\\\n", "")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        self.pins, self.hashes = {}, {}
        for line in lines:
            pin, *hashes = line.split()
            name, _, version = pin.partition("==")
            self.pins[canonicalize_name(name)] = version
            self.hashes[name] = hashes

    def test_hashes(self) -> None:
        """Each release has one for each wheel that may be taken, and no more."""
        for name, hashes in self.hashes.items():
            self.assertIn(len(hashes), range(1, MOST_WHEELS + 1), name)
            for text in hashes:
                self.assertRegex(text, r"^--hash=sha256:[0-9a-f]{64}$")

    def test_setup(self) -> None:
        """What setup.py asks for is there, in a version that it permits."""
        for requirement in wanted():
            version = self.pins.get(canonicalize_name(requirement.name))
            self.assertIsNotNone(version, f"{requirement}: run scripts/lock")
            self.assertIn(version, requirement.specifier, "run scripts/lock")

    def test_complete(self) -> None:
        """So is what that asks for in its turn: nothing else is installed."""
        extras = {canonicalize_name(x.name): x.extras for x in wanted()}
        for name in self.pins:
            try:
                needed = requires(name) or []
                if version_of(name) != self.pins[name]:
                    continue  # it is tried with another release, which asks for others
            except PackageNotFoundError:
                continue  # of another Python
            for text in needed:
                requirement = Requirement(text)
                marker = requirement.marker
                asked = ("", *extras.get(name, ()))
                if marker is None or any(marker.evaluate({"extra": x}) for x in asked):
                    known = canonicalize_name(requirement.name)
                    self.assertIn(known, self.pins, f"{name}: run scripts/lock")


class FileTests(SynchronousTestCase):
    """Units, conffile and changelog."""

    def test_version(self) -> None:
        """The newest entry of the changelog is about this release."""
        first = (DEBIAN / "changelog").read_text().splitlines()[0]
        self.assertEqual(re.findall(r"\((.*)\)", first), [__version__])

    def test_conffile(self) -> None:
        """It is a cache of Docker Hub, where the units say."""
        config, warnings = load(str(DEBIAN / "config.yml"), {})
        self.assertEqual(list(warnings), [])
        self.assertEqual(config.proxy.remoteurl, "https://registry-1.docker.io")
        socket = unit("txregistry.socket")["Socket"]
        self.assertEqual(config.http.addr, socket["ListenStream"])
        state = unit("txregistry.service")["Service"]["StateDirectory"]
        root = config.storage.parameters["rootdirectory"]
        self.assertEqual(root, f"/var/lib/{state}")

    def test_build_dependencies(self) -> None:
        """Whatever builds the package installs what that needs first."""
        control = (DEBIAN / "control").read_text()
        (field,) = re.findall(r"^Build-Depends:(.*(?:\n .*)*)", control, re.M)
        needed = {each.split()[0] for each in field.split(",")}
        makefile = (TOP / "Makefile").read_text().replace("\\\n", "")
        (line,) = re.findall(r"^BUILD_PACKAGES := (.*)$", makefile, re.M)
        self.assertIn("debhelper", line.split())
        self.assertLessEqual(needed - {"debhelper-compat"}, set(line.split()))
        for target in ("deb", "image"):
            (rule,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.M)
            self.assertIn("$(BUILD_PACKAGES)", rule, target)

    def test_times(self) -> None:
        """A stop has time to drain, and the watchdog to see more than one sign."""
        config, _ = load(str(DEBIAN / "config.yml"), {})
        service = unit("txregistry.service")["Service"]
        drain = config.http.draintimeout
        self.assertGreater(seconds(service["TimeoutStopSec"]), drain + 30)
        self.assertGreater(seconds(service["WatchdogSec"]), 20)

    def test_reload(self) -> None:
        """A reload of the unit is a command that there is, with what stands there."""
        _, command, *arguments = unit("txregistry.service")["Service"][
            "ExecReload"
        ].split()
        read = reload.make_context(
            command, [x.replace("$MAINPID", "7") for x in arguments[:-1]]
        )
        self.assertEqual(
            (command, read.params["partly"], read.params["pid"]), ("reload", True, 7)
        )
        self.assertEqual(arguments[-1], "/etc/txregistry/config.yml")
        start = unit("txregistry.service")["Service"]["ExecStart"]
        self.assertEqual(start.split()[-1], arguments[-1])

    def test_restarts(self) -> None:
        """Crashes are tried again for ever: they never come to the limit of starts."""
        parts = unit("txregistry.service")
        every = seconds(parts["Service"]["RestartSec"])
        within = seconds(parts["Unit"]["StartLimitIntervalSec"])
        self.assertGreater(int(parts["Unit"]["StartLimitBurst"]), within / every)

    def test_instances(self) -> None:
        """Several processes are as restricted as one, each with its own directories."""
        one, several = unit("txregistry.service"), unit("txregistry@.service")
        own = {"StateDirectory", "RuntimeDirectory", "EnvironmentFile"}
        for key, value in one["Service"].items():
            if key not in own:
                self.assertEqual(several["Service"][key], value, key)
        self.assertLessEqual(set(several["Service"]) - set(one["Service"]), own)
        # The first one holds the files of the process, wherever the storage is.
        state, storage = several["Service"]["StateDirectory"].split()
        self.assertEqual(storage, one["Service"]["StateDirectory"])
        self.assertEqual(several["Service"]["RuntimeDirectory"], state)
        self.assertIn("%i", state)


class SmokeTests(SynchronousTestCase):
    """``debian/tests/smoke``, with commands that say what they should."""

    #: What each says.
    SAID = {
        "systemctl": "ready on 127.0.0.1:5000",
        "stat": "txregistry:750",
        "txregistry": "no problems",
    }

    #: What curl is told by the admin listener, at its address.
    PAGES = "case $* in *:5001*) echo 'All is well, uPlot';; *) echo '{}';; esac"

    def test_silent(self) -> None:
        """It passes, and says nothing that autopkgtest takes for a failure."""
        place = Path(self.mktemp()).absolute()
        for name, text in self.SAID.items():
            write(place / name, f"#!/bin/sh\necho '{text}'\n").chmod(0o755)
        write(place / "curl", f"#!/bin/sh\n{self.PAGES}\n").chmod(0o755)
        done = subprocess.run(
            [DEBIAN / "tests/smoke"],
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": f"{place}:/usr/bin:/bin"},
        )
        self.assertEqual(done.stderr, "")
        self.assertIn("ready on", done.stdout)


class PurgeTests(SynchronousTestCase):
    """``debian/txregistry.postrm`` after a takeover, in a directory of its own."""

    def setUp(self) -> None:
        self.top = Path(self.mktemp()).absolute()

    def place(self, path: str) -> Path:
        return Path(f"{self.top}{path}")

    def files(self) -> set[str]:
        """Give all files, and directories that are empty."""
        found = [path for path in self.top.rglob("*") if not _is_full(path)]
        return {f"/{path.relative_to(self.top)}" for path in found}

    def adopt(self, *kept: str) -> None:
        """Take over where there are files."""
        for path in kept:
            write(self.place(path), "mine")
        there = facts(
            socket=UnitState(True, True, True), kept={x: x + KEPT for x in kept}
        )
        steps = tuple(make_plan(there))
        for step in steps:
            if isinstance(step, WriteFile):
                Hands(FakeUnits()).do(self.moved(step))
        record = AdoptRecord(OLD, "2026-11-29T00:00:00Z", APPLIED, len(steps), steps)
        AdoptJournal(self.place(str(JOURNAL))).save(record)

    def moved(self, step: WriteFile) -> Step:
        kept = step.kept and str(self.place(step.kept))
        owner = {"uid": os.getuid(), "gid": os.getgid()}
        return attrs.evolve(step, path=str(self.place(step.path)), kept=kept, **owner)

    def remove(self, action: str) -> str:
        """Do as dpkg does; give what is said."""
        script = (DEBIAN / "txregistry.postrm").read_text()
        for name in ("etc", "var"):
            script = re.sub(rf"(?<=[\s=\"])/{name}/", f"{self.top}/{name}/", script)
        script = script.replace("deluser", "no-such-command")
        return subprocess.run(
            ["/bin/sh", "-c", script, "postrm", action],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ).stdout

    def test_purge(self) -> None:
        """Nothing stays of what a takeover has written."""
        self.adopt(CONFIG)
        self.assertIn(SOCKET_DROP_IN, self.files())
        self.assertIn(f"enable --now {OLD}", self.remove("remove"))
        self.place(CONFIG).unlink()  # by dpkg, as it is a conffile
        self.assertEqual(self.remove("purge"), "")
        self.assertEqual(self.files(), {"/etc/default", "/etc/systemd/system", *MADE})

    def test_administrator(self) -> None:
        """What somebody else has put there stays, or is as it was."""
        mine = str(Path(SERVICE_DROP_IN).with_name("mine.conf"))
        write(self.place(mine))
        self.adopt(VARIABLES)
        self.place(CONFIG).unlink()
        self.remove("purge")
        self.assertEqual(self.files() - MADE, {VARIABLES, mine})
        self.assertEqual(self.place(VARIABLES).read_text(), "mine")

    def test_several_processes(self) -> None:
        """Files of each go, and what enables it; what is of the administrator stays."""
        wants = "/etc/systemd/system/multi-user.target.wants"
        mine = {
            "/etc/systemd/system/txregistry@.service.d/mine.conf",
            f"{wants}/other@1.service",
        }
        for path in mine:
            write(self.place(path))
        for number in "12":
            write(self.place(f"/var/lib/txregistry-process-{number}/index.sqlite3"))
            link = self.place(f"{wants}/txregistry@{number}.service")
            link.symlink_to("/lib/systemd/system/txregistry@.service")
        self.remove("remove")
        self.assertEqual(len(self.files()), 6)
        self.remove("purge")
        self.assertEqual(self.files(), {*mine, "/var/lib"})

    def test_nothing(self) -> None:
        """Where nothing was taken over such files are somebody else's."""
        write(self.place(VARIABLES), "mine")
        self.assertEqual(self.remove("remove") + self.remove("purge"), "")
        self.assertEqual(self.files(), {VARIABLES})


def _is_full(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


class InstanceTests(SynchronousTestCase):
    """What the package does with instances of ``txregistry@.service``, where commands
    of systemd write down what is asked of them."""

    def setUp(self) -> None:
        self.place = Path(self.mktemp()).absolute()
        self.etc, self.run_ = self.place / "etc", self.place / "run"
        self.asked = write(self.place / "asked")
        (self.run_ / "systemd/system").mkdir(parents=True)
        listed = "txregistry@2.service loaded active running x y"
        for name, text in (
            ("systemctl", f"echo '{listed}'"),
            ("deb-systemd-invoke", f'echo "$*" >> {self.asked}; exit 1'),
            ("adduser", "true"),
        ):
            write(self.place / "bin" / name, f"#!/bin/sh\n{text}\n").chmod(0o755)
        for name in ("txregistry@1.service", "txregistry@2.service", "other@1.service"):
            write(self.etc / "systemd/system/multi-user.target.wants" / name)

    def do(self, script: str, *arguments: str) -> list[str]:
        """Run a script as dpkg does; give what was asked of systemd."""
        text = (DEBIAN / f"txregistry.{script}").read_text()
        # At once: the path of the place may have one of the names in it.
        text = re.sub("/(etc|run)/", lambda found: f"{self.place}{found[0]}", text)
        path = f"{self.place}/bin:/usr/bin:/bin"
        command = ["/bin/sh", "-c", text, script, *arguments]
        subprocess.run(command, check=True, env={"PATH": path})
        return self.asked.read_text().splitlines()

    def test_upgrade(self) -> None:
        """Those that run and those that are enabled are renewed one by one, also where
        one of them fails."""
        units = ("txregistry@1.service", "txregistry@2.service")
        expected = [f"restart {unit}" for unit in units]
        self.assertEqual(self.do("postinst", "configure", "1.0"), expected)

    def test_remove(self) -> None:
        """All are stopped by a removal, and by nothing else."""
        self.assertEqual(self.do("prerm", "upgrade", "2.0"), [])
        self.assertEqual(self.do("prerm", "remove"), ["stop txregistry@*.service"])

    def test_without_systemd(self) -> None:
        """As in an image, nothing is asked."""
        (self.run_ / "systemd/system").rmdir()
        self.do("postinst", "configure", "1.0")
        self.assertEqual(self.do("prerm", "remove"), [])


class SystemPackagesTests(SynchronousTestCase):
    """``scripts/system-packages``, with others' tools in the place of Debian's."""

    def setUp(self) -> None:
        self.place = Path(self.mktemp())
        self.place.mkdir()
        self.policy = self.place / "policy"
        # As apt runs, the policy is asked as Debian asks it.
        asks = (
            f"{self.policy.absolute()} x start; echo $? >> {self.place.absolute()}/told"
        )
        for name, text in (
            ("dpkg-query", "exit 1"),
            ("id", "echo 0"),
            ("apt-get", f'[ "$1" = update ] || {{ {asks}; exit $APT; }}'),
        ):
            tool = self.place / name
            tool.write_text(f"#!/bin/sh\n{text}\n")
            tool.chmod(0o755)

    def install(self, status: int = 0) -> tuple[int, str]:
        """Run it; give its status, and what the policy said meanwhile."""
        path = f"{self.place.absolute()}:{os.environ['PATH']}"
        variables = {"PATH": path, "POLICY": str(self.policy), "APT": str(status)}
        done = subprocess.run(
            (TOP / "scripts/system-packages", "one"), env=variables, check=False
        )
        return done.returncode, (self.place / "told").read_text()

    def test_no_service_starts(self) -> None:
        """While it installs, services are forbidden to start; not any more after it."""
        for status in (0, 100):
            self.assertEqual(self.install(status), (status, "101\n"))
            self.assertFalse(self.policy.exists())
            (self.place / "told").unlink()

    def test_policy_of_others(self) -> None:
        """What an administrator has decided stands."""
        self.policy.write_text("#!/bin/sh\nexit 104\n")
        self.policy.chmod(0o755)
        self.assertEqual(self.install(), (0, "104\n"))
        self.assertTrue(self.policy.exists())
