"""The Debian package: what it pins, and that its files agree with each other."""

from __future__ import annotations

import ast
import re
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from twisted.trial.unittest import SynchronousTestCase

from txregistry import __version__
from txregistry.assembly.loading import load

TOP = Path(__file__).parents[1]
DEBIAN = TOP / "debian"

#: Of the Pythons of Debian 12 and 13, on amd64 and arm64.
MOST_WHEELS = 4


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

    def test_times(self) -> None:
        """A stop has time to drain, and the watchdog to see more than one sign."""
        config, _ = load(str(DEBIAN / "config.yml"), {})
        service = unit("txregistry.service")["Service"]
        drain = config.http.draintimeout
        self.assertGreater(seconds(service["TimeoutStopSec"]), drain + 30)
        self.assertGreater(seconds(service["WatchdogSec"]), 20)

    def test_restarts(self) -> None:
        """Crashes are tried again for ever: they never come to the limit of starts."""
        parts = unit("txregistry.service")
        every = seconds(parts["Service"]["RestartSec"])
        within = seconds(parts["Unit"]["StartLimitIntervalSec"])
        self.assertGreater(int(parts["Unit"]["StartLimitBurst"]), within / every)
