"""A daemon that is asked over its admin listener."""

from __future__ import annotations

import json
import os
import signal
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import attrs

from tests.cli.images import AskingCase
from tests.cli.test_verify import REPORT
from txregistry.cli import remote
from txregistry.cli.daemon import DaemonFailed
from txregistry.cli.exits import FAILED, NOT_PERMITTED
from txregistry.cli.remote import VARIABLE, RemoteDaemon
from txregistry.interfaces.collection import CollectReport

SESSION = {
    "user": "ann",
    "may_act": True,
    "token": "t",
    "actions": ["warm"],
    "reports": ["ready"],
}
COLLECTED = attrs.asdict(CollectReport(dry_run=True, blobs_deleted=2))
JOB = {"number": 3, "state": "running", "progress": [], "report": {}, "error": ""}
PART = {"digest": "sha256:a", "state": "fetching", "done": 1}


class Listener(socketserver.UnixStreamServer):
    """Gives answers in their order, and remembers what was asked."""

    def __init__(self, path: str, answers: list[tuple[int, Any]]) -> None:
        super().__init__(path, Handler)
        self.answers, self.asked = answers, list[tuple[str, str, Any, Any]]()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        listener: Any = self.server
        listener.asked.append((self.command, self.path, body, dict(self.headers)))
        status, values = listener.answers.pop(0)
        content = values if isinstance(values, bytes) else json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer

    def address_string(self) -> str:
        return "-"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class RemoteTests(AskingCase):
    """By HTTP over a socket, as over an address."""

    @contextmanager
    def listening(self, *answers: tuple[int, Any]) -> Iterator[Listener]:
        """Have somebody listen at the path of ``self.where``."""
        self.where = f"{self.socket}.admin"
        listener = Listener(self.where, list(answers))
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield listener
        finally:
            listener.shutdown()
            thread.join()
            listener.server_close()
            os.unlink(self.where)

    def ask(self, command: str = "warm", **options: Any) -> tuple[Any, list[Any]]:
        told: list[Any] = []
        report = RemoteDaemon(self.where).ask(command, options, told.append)
        return report, told

    def test_an_action(self) -> None:
        """It is begun, followed, and its report is that of the command."""
        self.patch(remote, "LOOK_SECONDS", 0.0)
        done = {**PART, "state": "here"}
        with self.listening(
            (200, SESSION),
            (202, JOB),
            (200, {**JOB, "progress": [PART]}),
            (200, {**JOB, "progress": [PART]}),
            (200, {**JOB, "state": "done", "progress": [done], "report": {"a": 1}}),
        ) as listener:
            report, told = self.ask(images=["a"])
        self.assertEqual((report, told), ({"a": 1}, [PART, done]))
        method, path, body, headers = listener.asked[1]
        self.assertEqual((method, path), ("POST", "/api/v1/jobs"))
        self.assertEqual(body, {"action": "warm", "options": {"images": ["a"]}})
        self.assertEqual(headers["X-CSRF-Token"], "t")
        self.assertEqual(listener.asked[2][1], "/api/v1/jobs/3")

    def test_a_look(self) -> None:
        """What only looks needs no right to act."""
        reader = {**SESSION, "may_act": False, "token": ""}
        with self.listening((200, reader), (200, {"report": {"b": 2}})) as listener:
            self.assertEqual(self.ask("ready"), ({"b": 2}, []))
        self.assertEqual(listener.asked[1][1], "/api/v1/reports")

    def test_failures(self) -> None:
        """It is said what went wrong, and where."""
        error = {"message": "denied", "detail": {"reason": "no"}, "code": "DENIED"}
        failed = {**JOB, "state": "failed", "error": "not here"}
        reader = {**SESSION, "may_act": False}
        for answers, said, status in (
            ([(200, SESSION), (202, failed)], "not here", FAILED),
            ([(200, SESSION), (202, {**JOB, "state": "stopped"})], "stopped", FAILED),
            ([(401, {"errors": [error]})], "denied: no", NOT_PERMITTED),
            ([(503, {"errors": []})], "status 503", FAILED),
            ([(200, b"<html>")], "is no admin listener", FAILED),
            ([(200, b"[]")], "is no admin listener", FAILED),
            ([(200, reader)], "ann may not act there", NOT_PERMITTED),
            ([(200, {**SESSION, "actions": []})], "warm is not done there", FAILED),
        ):
            with self.listening(*answers), self.assertRaises(DaemonFailed) as caught:
                self.ask()
            self.assertIn(said, str(caught.exception))
            self.assertEqual(caught.exception.status, status)
        with self.assertRaises(DaemonFailed) as caught:
            self.ask()
        self.assertIn("does not answer", str(caught.exception))

    def test_an_interrupt(self) -> None:
        """It stops the action; one that ends with what it has reports that."""

        def interrupted(seconds: float) -> None:
            signal.raise_signal(signal.SIGINT)

        self.patch(remote.time, "sleep", interrupted)
        stopped = {**JOB, "state": "stopped"}
        answers = (200, SESSION), (202, JOB), (200, JOB)
        with (
            self.listening(*answers, (200, stopped)) as listener,
            self.assertRaises(KeyboardInterrupt),
        ):
            self.ask()
        self.assertEqual(listener.asked[2][1], "/api/v1/jobs/3/stop")
        done = {**JOB, "state": "done", "report": {"complete": False}}
        with self.listening(*answers, (200, done)):
            self.assertEqual(self.ask()[0], {"complete": False})

    def test_urls(self) -> None:
        """A user and a password go into a header, and into no message."""
        daemon = RemoteDaemon("http://ann:s%3Acret@127.0.0.1:1/below/")
        self.assertEqual(
            daemon._headers(False), {"Authorization": "Basic YW5uOnM6Y3JldA=="}
        )
        self.assertEqual(daemon._url_path("/jobs"), "/below/api/v1/jobs")
        with self.assertRaises(DaemonFailed) as caught:
            daemon.ask("warm", {}, lambda _: None)
        self.assertIn("http://127.0.0.1:1 does not", str(caught.exception))
        self.assertNotIn("cret", str(caught.exception))
        odd = ("http://h:abc", "http://h:99999", "http://[::1", "http://h:0")
        for where in ("cache:5001", "ftp://x", "", *odd):
            self.assertRaises(DaemonFailed, RemoteDaemon, where)

    def test_the_command_line(self) -> None:
        """The variable decides, unless a configuration is named; none is read."""
        report = {"images": [{"image": "a:latest", "lacks": ""}]}
        with self.listening((200, SESSION), (200, {"report": report})):
            result = self.run_command("ready", "a", env={VARIABLE: self.where})
        self.assertEqual((result.exit_code, result.output), (0, "a:latest: ready\n"))
        result = self.run_command("ready", "a", env={VARIABLE: "nowhere"})
        self.assertEqual(result.exit_code, 1)
        self.assertIn("expected a URL", result.output)
        for arguments in (("verify",), ("garbage-collect",)):
            result = self.run_command(*arguments, env={VARIABLE: "nowhere"})
            self.assertIn("expected a URL", result.output)
        result = self.run_command(
            "ready", "-c", self.config, "a", env={VARIABLE: "nowhere"}
        )
        self.assertIn("no daemon answers", result.output)

    def test_the_whole_storage(self) -> None:
        """What reads or collects all of it is done there as well."""
        self.patch(remote, "LOOK_SECONDS", 0.0)
        session = {**SESSION, "actions": ["verify", "collect"]}
        part = {"stage": "mark", "done": 3}
        collected = {**JOB, "state": "done", "progress": [part], "report": COLLECTED}
        with self.listening((200, session), (202, JOB), (200, collected)) as listener:
            result = self.run_command(
                "garbage-collect", "--dry-run", env={VARIABLE: self.where}
            )
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("would delete", result.output)
        options = listener.asked[1][2]["options"]
        self.assertEqual((options["dry_run"], options["grace_seconds"]), (True, 3600.0))
        verified = {**JOB, "state": "done", "report": REPORT}
        with self.listening((200, session), (202, JOB), (200, verified)):
            result = self.run_command("verify", env={VARIABLE: self.where})
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("read 3 contents", result.output)
        reader = {**session, "may_act": False}
        for command, status in (("verify", 77), ("garbage-collect", 77)):
            with self.listening((200, reader)):
                result = self.run_command(command, env={VARIABLE: self.where})
            self.assertEqual(result.exit_code, status, result.output)

    def test_content(self) -> None:
        """What the API does not carry is refused, so that no other daemon gives it."""
        for arguments in (("export", "a", "/nowhere"), ("import", "/nowhere")):
            result = self.run_command(*arguments, env={VARIABLE: "/nowhere"})
            self.assertEqual(result.exit_code, 1)
            self.assertIn("content is not carried over the API", result.output)
