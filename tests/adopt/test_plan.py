"""From facts to steps, and to the files that are written."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.adopt.fakes import IDLE, OLD, OURS, RUNNING, SOCKET, facts
from txregistry.adopt.plan import (
    CONFIG,
    SERVICE_DROP_IN,
    SOCKET_DROP_IN,
    VARIABLES,
    PlanFacts,
    UnitState,
    drop_in,
    listen_stream,
    make_plan,
    unread,
)
from txregistry.adopt.probe import Probe
from txregistry.adopt.steps import (
    AwaitAnswer,
    StartUnits,
    StopUnits,
    WriteFile,
    from_json,
    to_json,
)
from txregistry.adopt.variables import read_variables


def files(of: PlanFacts) -> dict[str, WriteFile]:
    return {step.path: step for step in make_plan(of) if isinstance(step, WriteFile)}


class PlanTests(SynchronousTestCase):
    """Steps."""

    def told(self, **changes: object) -> list[str]:
        return [str(step).split(", ")[0] for step in make_plan(facts(**changes))]

    def test_order(self) -> None:
        """All that can be done before the old service stops is done before."""
        expected = [
            f"stop {OURS}",
            "let systemd read its units again",
            f"write {CONFIG}",
            f"write {VARIABLES}",
            f"write {SERVICE_DROP_IN}",
            "let systemd read its units again",
            f"disable {OLD}",
            f"enable {OURS}",
            f"stop {OLD}",
            f"start {OURS}",
            "wait until http://:5000/v2/ answers",
        ]
        self.assertEqual(self.told(), expected)

    def test_socket(self) -> None:
        """An enabled socket of ours listens where the old registry did."""
        told = self.told(socket=RUNNING)
        self.assertEqual(told[0], f"stop {SOCKET} and {OURS}")
        start = f"start {SOCKET} and {OURS}"
        self.assertEqual(told[-3:-1], [f"stop {OLD}", start])
        written = files(facts(socket=RUNNING))[SOCKET_DROP_IN].content
        self.assertIn("ListenStream=\nListenStream=5000\n", written)

    def test_socket_that_cannot(self) -> None:
        """One that cannot listen there, or is not used, is kept out of the way."""
        named = Probe("tcp", "registry.example:5000")
        for changes in ({"socket": RUNNING, "probe": named}, {"socket": IDLE}):
            told = self.told(**changes)
            self.assertIn(f"disable {SOCKET}", told)
            self.assertIn(f"start {OURS}", told)
            self.assertNotIn(f"write {SOCKET_DROP_IN}", told)

    def test_states(self) -> None:
        """What was active before is known to the steps that end it."""
        plan = make_plan(facts(old=UnitState(True, False, True), service=RUNNING))
        self.assertIn(StopUnits((OLD,), ()), plan)
        self.assertIn(StopUnits((OURS,), (OURS,)), plan)

    def test_journal(self) -> None:
        """Steps survive being written down; what is no step is refused."""
        plan = make_plan(facts(socket=RUNNING, kept={CONFIG: "/kept"}))
        self.assertEqual([from_json(to_json(step)) for step in plan], plan)
        for wrong in ({}, {"step": "Jump"}, {"step": "StartUnits", "x": 1}):
            self.assertRaises(ValueError, from_json, wrong)


class FileTests(SynchronousTestCase):
    """Files."""

    def test_configuration(self) -> None:
        """The old one as it is, with its mode and owner; what was there is kept."""
        found = files(facts(mode=0o640, kept={CONFIG: "/kept"}))[CONFIG]
        self.assertTrue(found.content.endswith("\nversion: 0.1\n"))
        self.assertTrue(found.content.startswith("# "))
        self.assertEqual((found.mode, found.kept), (0o640, "/kept"))

    def test_variables(self) -> None:
        """Those that we read, for root alone; the name of the file is not one."""
        given = {
            "REGISTRY_HTTP_SECRET": 'a "b"',
            "REGISTRY_CONFIGURATION_PATH": "/old.yml",
            "https_proxy": "http://proxy.example",
            "GOGC": "50",
        }
        found = files(facts(environment=given))[VARIABLES]
        expected = {x: given[x] for x in ("REGISTRY_HTTP_SECRET", "https_proxy")}
        self.assertEqual(read_variables(found.content), expected)
        self.assertEqual((found.mode, found.uid, found.gid), (0o600, 0, 0))
        self.assertEqual(unread(given), ["GOGC"])

    def lines(self, **changes: object) -> list[str]:
        return drop_in(facts(**changes)).splitlines()[1:]

    def test_drop_in(self) -> None:
        """Ours runs as the old one did, and may write where that one wrote."""
        expected = [
            "[Service]",
            "User=docker-registry",
            "Group=docker-registry",
            "UMask=0022",
            "ReadWritePaths=/var/lib/docker-registry",
            "EnvironmentFile=/etc/default/txregistry",
            "SupplementaryGroups=txregistry",
        ]
        self.assertEqual(self.lines(), expected)
        self.assertEqual(self.lines(has_group=False), expected[:-1])
        self.assertIn("UMask=0027", self.lines(umask="0027"))
        self.assertIn("WorkingDirectory=/srv", self.lines(directory="/srv"))
        path = self.lines(root="/srv/docker cache")
        self.assertIn('ReadWritePaths="/srv/docker cache"', path)

    def test_places_that_a_unit_hides(self) -> None:
        """A home or a temporary directory is not hidden if something of it is used."""
        self.assertIn("ProtectHome=no", self.lines(root="/home"))
        self.assertIn("ProtectHome=no", self.lines(reads=("/root/key.pem",)))
        self.assertIn("PrivateTmp=no", self.lines(root="/var/tmp/registry"))
        self.assertNotIn("ProtectHome=no", self.lines(root="/homework"))

    def test_ports_of_root(self) -> None:
        """A port below 1024 takes a capability, which a user namespace would keep."""
        lines = self.lines(ports=(443, 5001))
        self.assertIn("AmbientCapabilities=CAP_NET_BIND_SERVICE", lines)
        self.assertIn("PrivateUsers=no", lines)

    def test_addresses_of_sockets(self) -> None:
        """As systemd writes them; a name is none."""
        expected = {
            ":5000": "5000",
            "127.0.0.1:80": "127.0.0.1:80",
            "[::1]:80": "[::1]:80",
            "localhost:80": "",
        }
        found = {address: listen_stream(Probe("tcp", address)) for address in expected}
        self.assertEqual(found, expected)
        self.assertEqual(listen_stream(Probe("unix", "/run/registry")), "")

    def test_waiting(self) -> None:
        """Ours is started last, and waited for."""
        plan = make_plan(facts(patience=5.0))
        self.assertEqual(plan[-2], StartUnits((OURS,)))
        self.assertEqual(plan[-1], AwaitAnswer(OURS, Probe("tcp", ":5000"), 5.0))
