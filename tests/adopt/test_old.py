"""The unit of the old service, with its drop-ins and files of variables."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.adopt.fakes import OLD, write
from txregistry.adopt.findings import Level, verdict
from txregistry.adopt.old import DEFAULT_CONFIG, OldPlaces, OldService, read_old

DEBIAN = """\
[Unit]
Description=the Docker toolset to pack, ship, store, and deliver content
After=network.target

[Service]
User=docker-registry
ExecStart=/usr/bin/docker-registry serve /etc/docker/registry/config.yml

[Install]
WantedBy=multi-user.target
"""


class OldTests(SynchronousTestCase):
    """What a unit says."""

    def setUp(self) -> None:
        top = Path(self.mktemp())
        self.library, self.etc = top / "lib", top / "etc"
        self.defaults = top / "default"
        write(self.library / OLD, DEBIAN)

    def read(self, config: str | None = None) -> OldService:
        places = OldPlaces((self.etc, self.library), self.defaults)
        return read_old(OLD, config, places)

    def drop_in(self, text: str, name: str = "x") -> None:
        write(self.etc / f"{OLD}.d" / f"{name}.conf", f"[Service]\n{text}\n")

    def told(self) -> list[tuple[Level, str]]:
        return [(found.level, found.about) for found in self.read().findings]

    def test_package_of_debian(self) -> None:
        """Its user, and the file that it is started with; nothing is odd."""
        expected = OldService(OLD, "docker-registry", "", DEFAULT_CONFIG)
        self.assertEqual(self.read(), expected)

    def test_drop_ins(self) -> None:
        """They count in the order of their names, and an empty value takes back."""
        self.drop_in("User=other\nGroup=staff\nUMask=0027\nEnvironment=A=1", "10")
        self.drop_in(
            "ExecStart=\nExecStart=/usr/bin/docker-registry \\\n serve ${CONF}\n"
            'Environment=\nEnvironment="CONF=/etc/x y.yml" B=2',
            "20",
        )
        old = self.read()
        self.assertEqual((old.user, old.group, old.umask), ("other", "staff", "0027"))
        self.assertEqual(old.config, "/etc/x y.yml")
        self.assertEqual(old.environment, {"CONF": "/etc/x y.yml", "B": "2"})

    def test_unit_of_the_administrator(self) -> None:
        """One in /etc takes the place of the package's."""
        write(self.etc / OLD, DEBIAN.replace("User=docker-registry", "User=me"))
        self.assertEqual(self.read().user, "me")

    def test_files_of_variables(self) -> None:
        """They count more than the unit; one that may be missing may."""
        path = write(self.etc / "env", "REGISTRY_LOG_LEVEL=debug\n")
        self.drop_in(
            f"Environment=REGISTRY_LOG_LEVEL=info\nEnvironmentFile={path}\n"
            "EnvironmentFile=-/none/at/all"
        )
        self.assertEqual(self.read().environment, {"REGISTRY_LOG_LEVEL": "debug"})
        self.assertEqual(self.told(), [])

    def test_missing_file_of_variables(self) -> None:
        """Any other one may not: the old service would not start either."""
        self.drop_in("EnvironmentFile=/none/at/all")
        self.assertEqual(self.told(), [(Level.CANNOT, "/none/at/all")])

    def test_file_of_the_init_script(self) -> None:
        """One that only the init script reads is told, if it sets anything of ours."""
        write(self.defaults, "OTHER=1\n")
        self.assertEqual(self.told(), [])
        write(self.defaults, "REGISTRY_HTTP_ADDR=:80\n")
        self.assertEqual(self.told(), [(Level.LOOK, str(self.defaults))])
        self.drop_in(f"EnvironmentFile=-{self.defaults}")
        self.assertEqual(self.told(), [])
        self.assertEqual(self.read().environment, {"REGISTRY_HTTP_ADDR": ":80"})

    def test_other_keys(self) -> None:
        """What the old unit does beside is told; what hides its files is too much."""
        self.drop_in("ExecStartPre=/bin/true\nRestart=always\nRestartSec=1")
        self.assertEqual(self.told(), [(Level.LOOK, "ExecStartPre=/bin/true")])
        self.drop_in("DynamicUser=yes", "y")
        self.assertEqual(verdict(self.read().findings), Level.CANNOT)

    def test_other_commands(self) -> None:
        """A command that serves nothing is not understood."""
        for command in ("/usr/bin/podman start registry", '/bin/sh "'):
            self.drop_in(f"ExecStart=\nExecStart={command}")
            self.assertEqual(verdict(self.read().findings), Level.CANNOT, command)

    def test_configuration(self) -> None:
        """One that is asked for counts most; without any, the path's variable."""
        self.assertEqual(self.read("/x.yml").config, "/x.yml")
        self.drop_in(
            "ExecStart=\nExecStart=/usr/bin/docker-registry serve\n"
            "Environment=REGISTRY_CONFIGURATION_PATH=/y.yml"
        )
        self.assertEqual(self.read().config, "/y.yml")

    def test_no_unit(self) -> None:
        """Without a unit there is nothing to take over."""
        (self.library / OLD).unlink()
        self.assertEqual(self.told(), [(Level.CANNOT, OLD)])
