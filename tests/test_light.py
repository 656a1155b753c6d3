"""What commands and daemons do not import: it is time that each start takes.

Each is run in a process of its own, which tells what it has imported. No time is
measured, as nothing may depend on how fast the machine is.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

import yaml
from twisted.trial.unittest import SynchronousTestCase

#: Runs a command, and then tells what is there.
_COMMAND = """
import json, sys
from txregistry.cli.main import main
try:
    main(sys.argv[1:], prog_name="txregistry")
except SystemExit as ended:
    print(json.dumps([ended.code, sorted(sys.modules)]))
"""

#: What a bare interpreter has imported.
_NOTHING = (
    "import sys; found = sorted(sys.modules); import json; print(json.dumps(found))"
)

#: Needed by no command that talks to a daemon.
WEB = frozenset(
    [
        *("OpenSSL", "cryptography", "h2", "hpack", "joserfc", "klein"),
        *("prometheus_client", "treq", "twisted.web", "txredisapi", "werkzeug"),
    ]
)

#: Nor are these, by the shortest ones.
HEAVY = WEB | {"importlib.metadata", "rich", "sqlite3", "twisted", "zope", "bcrypt"}

#: Parts of a daemon.
ROOMS = frozenset(
    f"txregistry.{room}"
    for room in ("admin", "daemon", "expiry", "health", "observe", "proxy", "web")
)


class LightCase(SynchronousTestCase):
    """A directory, with a configuration in it."""

    def setUp(self) -> None:
        # Short, as a Unix socket has to be named.
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.root = self.directory / "root"
        (self.root / "txregistry").mkdir(parents=True)
        self.config = str(self.directory / "config.yml")

    def write(self, **config: object) -> None:
        """Write the configuration of a registry."""
        storage = {"filesystem": {"rootdirectory": str(self.root)}}
        text = yaml.safe_dump({"version": "0.1", "storage": storage, **config})
        Path(self.config).write_text(text)

    def told(self, program: str, *arguments: str) -> list:
        """Run a program in a process of its own; give what it tells last."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env=clean(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def without(self, modules: list[str], *unwanted: frozenset[str]) -> None:
        """Check that nothing of these was imported."""
        roots = frozenset().union(*unwanted)
        found = {name for name in modules for root in roots if within(name, root)}
        # Files ``.pth`` of packages may import something before anything else runs.
        self.assertEqual(found - set(self.told(_NOTHING)), set())


def within(module: str, root: str) -> bool:
    return module == root or module.startswith(f"{root}.")


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Take away what would make it measure coverage, or find other settings."""
    unwanted = ("COVERAGE_", "REGISTRY_", "OTEL_")
    return {k: v for k, v in environment.items() if not k.startswith(unwanted)}


class CommandTests(LightCase):
    """Commands."""

    def run_command(self, expected: int, *arguments: str) -> list[str]:
        status, modules = self.told(_COMMAND, *arguments)
        self.assertEqual(status, expected)
        return modules

    def test_version(self) -> None:
        """The version is told without any command."""
        modules = self.run_command(0, "--version")
        self.without(modules, HEAVY, ROOMS, frozenset(["attrs", "yaml"]))

    def test_health(self) -> None:
        """The question for health needs the configuration and a socket."""
        self.write(http={"addr": str(self.directory / "gone"), "net": "unix"})
        self.without(self.run_command(1, "health", self.config), HEAVY, ROOMS)

    def test_reload(self) -> None:
        """So does a reload."""
        self.write()
        self.without(self.run_command(1, "reload", self.config), HEAVY, ROOMS)

    def test_config(self) -> None:
        """A check imports what is checked with, and nothing for what is not named."""
        self.write()
        modules = self.run_command(0, "config", "show", self.config)
        self.without(modules, HEAVY, ROOMS)
        modules = self.run_command(0, "config", "check", self.config)
        # For packages that offer in vain what is named.
        self.without(modules, HEAVY - {"importlib.metadata"}, ROOMS)
        self.without(self.run_command(0, "config", "explain", "http"), HEAVY, ROOMS)

    def test_work_of_a_daemon(self) -> None:
        """Who leaves the work to a daemon imports no part of one."""
        self.write()
        place = str(self.root / "txregistry" / "control.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(place)
            listener.listen()
            listener.settimeout(60)
            for command, status in (
                (["garbage-collect", self.config], 1),
                (["verify", "-c", self.config], 2),
            ):
                refusal = Thread(target=refuse, args=[listener], daemon=True)
                refusal.start()
                modules = self.run_command(status, *command)
                refusal.join(60)
                self.without(modules, WEB, ROOMS, frozenset(["rich", "sqlite3"]))

    def test_offline(self) -> None:
        """Who does it alone imports no HTTP server."""
        self.write()
        modules = self.run_command(0, "garbage-collect", "-q", self.config)
        self.without(modules, frozenset(["klein", "werkzeug", "txregistry.web"]))


#: Builds a daemon without starting it, and then tells what is there.
_DAEMON = """
import json, sys
from txregistry.tap import Options, makeService
options = Options()
options.parent = {}
options.parseOptions(sys.argv[1:])
makeService(options)
print(json.dumps(sorted(sys.modules)))
"""

#: For keys and variables that neither of the daemons below has.
UNNAMED = frozenset(
    [
        *("joserfc", "opentelemetry", "rich", "txredisapi"),
        *("click", "txregistry.adopt", "txregistry.cli", "txregistry.testing"),
        *("txregistry.assembly.tlsfiles", "txregistry.auth.htpasswd"),
        *("txregistry.auth.token", "txregistry.flow.redis"),
        *("txregistry.storagedriver.inmemory", "txregistry.tracing.otel"),
    ]
)


class DaemonTests(LightCase):
    """Daemons."""

    def build(self, **config: object) -> list[str]:
        self.write(**config)
        return self.told(_DAEMON, "-c", self.config)

    def test_registry(self) -> None:
        """A registry asks nobody, and imports no client."""
        client = frozenset(["treq", "txregistry.assembly.cache", "txregistry.proxy"])
        self.without(self.build(), UNNAMED, client)

    def test_cache(self) -> None:
        """A cache has a client, and nothing for what is not named."""
        modules = self.build(proxy={"remoteurl": "https://registry.example"})
        self.without(modules, UNNAMED)
        self.assertIn("treq", modules)

    def test_named(self) -> None:
        """What is named is there."""
        auth = {"htpasswd": {"realm": "r", "path": str(self.directory / "passwords")}}
        modules = self.build(
            storage={"inmemory": None, "cache": {"blobdescriptor": "redis"}},
            redis={"addr": "127.0.0.1:1"},
            auth=auth,
        )
        for expected in ("txregistry.auth.htpasswd", "txredisapi"):
            self.assertIn(expected, modules)
        self.without(modules, frozenset(["txregistry.auth.token", "joserfc"]))


def refuse(listener: socket.socket) -> None:
    """Take one connection as a daemon would, and say no."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b'{"error": "no"}\n')
