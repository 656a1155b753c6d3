"""``txregistry garbage-collect``, as far as it goes without a reactor."""

from __future__ import annotations

import json
import os
import socket
import threading
from functools import partial

import attrs
import yaml
from click.testing import CliRunner, Result
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txregistry.cli import collect as module
from txregistry.cli import garbage_collect as commands
from txregistry.cli.daemon import ask
from txregistry.cli.exits import OfflineFailed
from txregistry.cli.main import main
from txregistry.cli.offline import check_lock
from txregistry.config.model import Config
from txregistry.config.storage import Storage
from txregistry.daemon.lock import DirectoryLock
from txregistry.interfaces.collection import CollectOptions, CollectReport

REPORT = attrs.asdict(
    CollectReport(
        repositories=2,
        manifests_kept=3,
        manifests_deleted=1,
        blobs_kept=4,
        blobs_deleted=1,
        bytes_deleted=99,
        links_deleted=5,
        leftovers_deleted=6,
        seconds=0.1,
        broken=["a@sha256:x"],
        deleted=["sha256:y"],
    )
)


class GarbageCollectTests(SynchronousTestCase):
    """Options, and what is printed."""

    def setUp(self) -> None:
        # Short, as a Unix socket has to be named.
        self.root = os.path.relpath(self.mktemp())
        os.makedirs(os.path.join(self.root, "txregistry"))
        self.config = self.mktemp()
        self.write(storage={"filesystem": {"rootdirectory": self.root}})

    def write(self, **config: object) -> None:
        with open(self.config, "w") as file:
            yaml.safe_dump({"version": "0.1", **config}, file)

    def run_command(self, *arguments: str) -> Result:
        command = ["garbage-collect", *arguments, self.config]
        return CliRunner().invoke(main, command)

    def collecting(self, report: dict[str, object] = REPORT) -> list[CollectOptions]:
        """Let nothing be collected; remember what was asked for."""
        asked: list[CollectOptions] = []

        def collect(config, options, tell, unlocked):
            asked.append(options)
            tell("mark", 1)
            return report

        self.patch(module, "collect", collect)
        self.patch(commands, "collect", collect)
        return asked

    def test_options(self) -> None:
        """Each option reaches the collection; the grace is an hour if not said."""
        asked = self.collecting()
        self.assertEqual(self.run_command().exit_code, 0)
        self.run_command("-d", "-m", "--grace", "0")
        self.run_command("--dry-run", "--delete-untagged", "--grace", "90m")
        expected = [
            CollectOptions(False, False, 3600.0),
            CollectOptions(True, True, 0.0),
            CollectOptions(True, True, 5400.0),
        ]
        self.assertEqual(asked, expected)

    def test_report(self) -> None:
        """What went, what is broken, and the sums; in JSON, or not at all."""
        self.collecting()
        output = self.run_command().output
        self.assertIn("deleted sha256:y", output)
        self.assertIn("left alone: a@sha256:x", output)
        self.assertIn("1 contents of 99 bytes", output)
        self.assertIn("5 links, 6 unfinished files", output)
        self.assertEqual(json.loads(self.run_command("--json").output), REPORT)
        self.assertEqual(self.run_command("-q").output, "")

    def test_wrong_grace(self) -> None:
        """A duration that is none is a usage error."""
        result = self.run_command("--grace", "soon")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("expected a duration", result.output)

    def test_wrong_configuration(self) -> None:
        """Every problem, and status 78."""
        self.write(storage={}, log={"level": 3})
        result = self.run_command()
        self.assertEqual(result.exit_code, 78)
        self.assertIn("exactly one driver", result.output)

    def test_failures_in_json(self) -> None:
        """With --json the reason is an object as well, with the same status."""
        self.write(storage={}, log={"level": "loud"})
        result = self.run_command("--json")
        found = json.loads(result.stdout)
        self.assertEqual(result.exit_code, 78)
        self.assertEqual(found["error"], f"{self.config} cannot be used")
        self.assertEqual(found["problems"], result.stderr.splitlines())
        self.write(storage="inmemory")
        result = self.run_command("--json")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("keeps no lock", json.loads(result.stdout)["error"])

    def test_cache(self) -> None:
        """A pull-through cache is not collected, and the reason is said."""
        self.write(
            storage={"filesystem": {"rootdirectory": self.root}},
            proxy={"remoteurl": "http://x"},
        )
        result = self.run_command()
        self.assertEqual(result.exit_code, 1)
        self.assertIn("proxy.ttl", result.output)

    def test_local_repositories_of_a_cache(self) -> None:
        """A cache that takes pushes is collected."""
        self.write(
            storage={"filesystem": {"rootdirectory": self.root}},
            proxy={"remoteurl": "http://x", "local": ["team/**"]},
        )
        self.collecting()
        self.assertEqual(self.run_command().exit_code, 0)

    def test_daemon_out_of_reach(self) -> None:
        """With a daemon at work that does not answer, nothing is collected."""
        path = os.path.abspath(os.path.join(self.root, "txregistry", "lock"))
        daemon = DirectoryLock(path)
        daemon.startService()
        self.addCleanup(daemon.stopService)
        result = self.run_command()
        self.assertEqual(result.exit_code, 1)
        self.assertIn("control socket does not answer", result.output)

    def test_of_another_user(self) -> None:
        """Root leaves no files where the daemon's user could not write to them."""
        if os.geteuid() != 0:
            raise SkipTest("only root could")
        path = os.path.abspath(os.path.join(self.root, "txregistry"))
        for owner, name in ((1, "daemon"), (54321, "#54321")):
            os.chown(path, owner, owner)
            result = self.run_command()
            self.assertEqual(result.exit_code, 1)
            self.assertIn(f"{path} belongs to {name}", result.output)
            self.assertEqual(os.listdir(path), [])


class AskTests(SynchronousTestCase):
    """Talking to a daemon."""

    def ask(self, *answers: dict[str, object]) -> tuple[object, object, list[object]]:
        ours, theirs = socket.socketpair()
        told: list[object] = []
        question: list[bytes] = []

        def serve() -> None:
            with theirs:
                question.append(theirs.makefile("rb").readline())
                for answer in answers:
                    theirs.sendall(json.dumps(answer).encode() + b"\n")

        server = threading.Thread(target=serve)
        server.start()
        try:
            with ours:
                report = module._ask(
                    partial(ask, ours),
                    CollectOptions(),
                    lambda *step: told.append(step),
                )
        finally:
            server.join()
        return json.loads(question[0]), report, told

    def test_report(self) -> None:
        """Progress is passed on, the report is given back."""
        question, report, told = self.ask(
            {"progress": {"stage": "mark", "done": 1}}, {"report": {"x": 1}}
        )
        self.assertEqual(question["command"], "collect")
        self.assertEqual(question["options"]["grace_seconds"], 3600.0)
        self.assertEqual((report, told), ({"x": 1}, [("mark", 1)]))

    def test_storage_without_a_lock(self) -> None:
        """Where nobody can tell whether a registry uses it, nothing is collected."""
        config = Config("0.1", Storage("inmemory"))
        with self.assertRaisesRegex(module.CollectFailed, "inmemory keeps no lock"):
            module.collect(config, module.Options(), lambda *_: None)
        check_lock(config, unlocked=True)

    def test_shared_directory(self) -> None:
        """Nor where others may use it; with consent no daemon is asked, which would
        refuse it."""
        root = {"rootdirectory": "/r", "shared": True}
        config = Config("0.1", Storage("filesystem", root, statedirectory="/s"))
        with self.assertRaisesRegex(OfflineFailed, "others may use /r: .*read-only"):
            check_lock(config, unlocked=False)
        asked: list[str] = []
        self.patch(module, "connect", asked.append)
        self.patch(module, "_collect_here", lambda *_: {})
        for unlocked in (False, True):
            module.collect(config, module.Options(), lambda *_: None, unlocked)
        self.assertEqual(asked, ["/s/control.sock"])

    def test_error(self) -> None:
        """What the daemon says went wrong did."""
        with self.assertRaises(module.CollectFailed) as caught:
            self.ask({"error": "busy"})
        self.assertEqual(str(caught.exception), "busy")

    def test_daemon_that_ends(self) -> None:
        """A connection that ends early is a failure."""
        with self.assertRaises(module.CollectFailed):
            self.ask({"progress": {"stage": "mark", "done": 1}})

    def test_daemon_that_is_killed(self) -> None:
        """Half a line, and a connection that is reset, are failures as well."""
        for send in (b'{"progress": {"st', None):
            ours, theirs = socket.socketpair()
            with ours, self.assertRaisesRegex(module.CollectFailed, "ended before"):
                if send is not None:
                    theirs.sendall(send)
                # Closed with our question unread, it resets the connection.
                theirs.shutdown(socket.SHUT_WR) if send else theirs.close()
                module._ask(partial(ask, ours), CollectOptions(), lambda *_: None)
            theirs.close()
