"""The ``adopt`` command: what it says, and with which status it ends."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from pathlib import Path

import attrs
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tests.adopt.fakes import IDLE, OLD, OURS, RUNNING, FakeUnits, write
from txregistry.adopt import facts, plan
from txregistry.adopt.journal import BACKING, AdoptJournal
from txregistry.adopt.old import OldPlaces, read_old
from txregistry.adopt.probe import NoAnswer
from txregistry.adopt.takeover import Hands
from txregistry.cli import adopt as module
from txregistry.cli.main import main


class AdoptTests(SynchronousTestCase):
    """A machine whose systemd is a dictionary, and whose /etc is a directory."""

    def setUp(self) -> None:
        self.top = Path(self.mktemp()).absolute()
        self.root = self.top / "data"
        self.root.mkdir(parents=True)
        self.config = self.top / "old.yml"
        self.configure()
        write(
            self.top / "units" / OLD,
            f"[Service]\nUser={getpass.getuser()}\n"
            f"ExecStart=/usr/bin/docker-registry serve {self.config}\n",
        )
        self.units = FakeUnits({OLD: RUNNING, OURS: IDLE})
        self.before = dict(self.units.states)
        self.journal = AdoptJournal(self.top / "state" / "adopt.json")
        self.answer: BaseException | None = None
        places = OldPlaces((self.top / "units",), self.top / "default")
        self.patch(module, "read_old", lambda *args: read_old(*args, places))
        self.patch(module, "AdoptJournal", lambda: self.journal)
        self.patch(module, "Systemctl", lambda: self.units)
        self.patch(module, "Hands", lambda units: Hands(units, self.wait))
        written = ("CONFIG", "VARIABLES", "SERVICE_DROP_IN", "SOCKET_DROP_IN")
        for name in written:
            path = str(self.top / f"ours.{name.lower()}")
            self.patch(plan, name, path)
        self.patch(facts, "_WRITTEN", [getattr(plan, name) for name in written])

    def configure(self, text: str = "") -> None:
        self.config.write_text(
            "version: 0.1\nhttp: {addr: ':5000'}\n"
            f"storage: {{filesystem: {{rootdirectory: '{self.root}'}}}}\n{text}"
        )

    def wait(self, *_: object) -> None:
        if self.answer is not None:
            raise self.answer

    def adopt(self, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["adopt", *arguments])
        self.assertEqual(result.exit_code, code, result.output)
        return result

    def test_dry_run(self) -> None:
        """Says what is there and what would be done, and changes nothing."""
        look = self.patched_root()
        text = self.adopt(code=look).output
        self.assertIn(f"{OLD} runs as {getpass.getuser()} with {self.config}", text)
        self.assertIn("0 repositories", text)
        self.assertIn("for clients: nothing: the address stays :5000", text)
        self.assertIn(f"--apply would: stop {OLD}", text)
        self.assertEqual((self.units.calls, self.journal.load()), ([], None))

    def patched_root(self) -> int:
        """Give the status of a dry run: root is something to look at."""
        return 1 if getpass.getuser() == "root" else 0

    def test_json(self) -> None:
        """The same for machines, and only that on the standard output."""
        report = json.loads(self.adopt("--json", code=self.patched_root()).stdout)
        self.assertEqual(report["config"], str(self.config))
        self.assertEqual(report["storage"]["tags"], 0)

    def test_verify(self) -> None:
        """Blobs that are hashed are told, and damaged ones are to be looked at."""
        digits = "ab" * 32
        path = f"docker/registry/v2/blobs/sha256/ab/{digits}/data"
        write(self.root / path, "damaged")
        text = self.adopt("--verify", "9", code=1).output
        self.assertIn("1 blobs were hashed, 1 are damaged", text)
        self.assertIn(f"! {self.root}: 1 blobs are damaged", text)

    def test_cannot(self) -> None:
        """What we do not have is in the way: nothing is done, with --apply neither."""
        self.configure("http: {tls: {letsencrypt: {email: me@example.org}}}\n")
        self.config.write_text(self.config.read_text().replace("http: {addr", "x: {a"))
        self.assertIn("X http.tls.letsencrypt", self.adopt(code=2).output)
        self.adopt("--apply", code=2)
        self.assertEqual((self.units.calls, self.journal.load()), ([], None))

    def test_no_address(self) -> None:
        """A configuration without an address, and variables that give one."""
        self.config.write_text(self.config.read_text().replace("':5000'", ""))
        self.assertIn("! http.addr: is not set", self.adopt(code=1).output)
        unit = self.top / "units" / OLD
        with unit.open("a") as file:
            file.write("Environment=REGISTRY_HTTP_ADDR=:80\n")
        self.assertIn(
            "the address stays :80", self.adopt(code=self.patched_root()).output
        )

    def test_there_and_back(self) -> None:
        """Taken over, and given back; each a second time is harmless."""
        self.configure("middleware: {storage: [{name: x, disabled: true}]}\n")
        text = self.adopt("--apply").output
        self.assertIn("! middleware: what is disabled is passed over", text)
        self.assertIn("is taken over", text)
        self.assertEqual(self.units.states, {OLD: IDLE, OURS: RUNNING})
        calls = len(self.units.calls)
        self.assertIn("was taken over", self.adopt("--apply").output)
        self.assertEqual(len(self.units.calls), calls)
        self.assertIn("is as it was", self.adopt("--back").output)
        self.assertEqual(self.units.states, self.before)
        self.assertIn("nothing was taken over", self.adopt("--back").output)
        self.assertEqual(self.left_behind(), set())

    def left_behind(self) -> set[str]:
        names = {path.name for path in self.top.iterdir()}
        return names - {"data", "old.yml", "units"}

    def test_answers_in_json(self) -> None:
        """Steps go to the standard error then."""
        for option, applied in (("--apply", True), ("--back", False)):
            result = self.adopt(option, "--json")
            self.assertEqual(json.loads(result.stdout)["applied"], applied)

    def test_failure(self) -> None:
        """One that does not answer is rolled back, with what it said last."""
        answers = iter([NoAnswer("did not answer")])

        def wait(*_: object) -> None:
            for answer in answers:
                raise answer

        self.patch(self, "wait", wait)
        result = self.adopt("--apply", code=1)
        self.assertIn("what it said last", result.output)
        self.assertIn("all is put back", result.output)
        self.assertEqual(self.units.states, self.before)
        self.assertEqual(self.left_behind(), set())

    def test_stuck(self) -> None:
        """What cannot be put back is told; --back tries again."""
        self.adopt("--apply")
        self.units.refused = f"start {OLD}"
        self.assertIn("not all could be put back", self.adopt("--back", code=3).output)
        self.units.refused = ""
        self.adopt("--back")
        self.assertEqual(self.units.states, self.before)

    def test_full_disk(self) -> None:
        """A journal that cannot be written ends it, and all is put back."""
        save = AdoptJournal.save
        for good in range(5):
            left = iter(range(good))

            def full(journal: AdoptJournal, record: object, left=left) -> None:
                if next(left, None) is None:
                    raise OSError(28, "No space left on device")
                save(journal, record)

            self.patch(AdoptJournal, "save", full)
            text = self.adopt("--apply", code=1).output
            self.assertIn("the journal cannot be written", text)
            self.assertEqual(self.units.states, self.before)
            self.assertEqual(self.left_behind(), set())

    def test_silence_after_all(self) -> None:
        """All is put back, and the old service does not answer: that is told."""
        self.adopt("--apply")
        self.answer = NoAnswer("did not answer")
        text = self.adopt("--back", code=3).output
        self.assertIn("all is put back, but", text)
        self.assertEqual(self.units.states, self.before)

    def test_interrupted(self) -> None:
        """Interrupted, it is ended by another run, or undone."""
        for option, expected in (("--apply", RUNNING), ("--back", IDLE)):
            self.answer = KeyboardInterrupt()
            self.adopt("--apply", code=3)
            self.answer = None
            self.adopt(option)
            self.assertEqual(self.units.state(OURS), expected)
            self.adopt("--back")
            self.assertEqual(self.units.states, self.before)

    def test_interrupted_on_the_way_back(self) -> None:
        """An --apply after it goes back to the end, and then begins anew."""
        self.adopt("--apply")
        record = self.journal.load()
        self.journal.save(attrs.evolve(record, state=BACKING))
        self.units.states = dict(self.before)
        self.adopt("--apply")
        self.assertEqual(self.units.states, {OLD: IDLE, OURS: RUNNING})
        self.assertEqual(self.units.calls.count(f"start {OLD}"), 1)
        self.assertEqual(self.units.calls.count(f"start {OURS}"), 2)

    def test_wrong_use(self) -> None:
        """Both at once, and two at once, are refused."""
        self.adopt("--apply", "--back", code=2)
        with self.journal.locked():
            self.assertIn("at work", self.adopt("--back", code=2).output)

    def test_without_rights(self) -> None:
        """Who may not write is told that it takes root."""

        def refuse(*_: object) -> Callable[[], None]:
            raise PermissionError(13, "Permission denied", "/var/lib")

        self.patch(AdoptJournal, "load", refuse)
        self.assertIn("it takes root", self.adopt("--apply", code=2).output)
