"""Credentials for an upstream."""

from __future__ import annotations

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.remote.credentials import (
    MAX_PROCESSES,
    MAX_SERVERS,
    Credentials,
    HelperCredentials,
    ICredentialStore,
    StaticCredentials,
)


class FakeProcess:
    """A process that the test speaks for."""

    def __init__(self, protocol, arguments) -> None:
        self.protocol, self.arguments = protocol, arguments
        self.input, self.closed, self.signals = b"", False, []
        self.has_exited = self.lost = False

    def write(self, data: bytes) -> None:
        self.input += data

    def closeStdin(self) -> None:
        self.closed = True

    def signalProcess(self, name: str) -> None:
        if self.has_exited:
            raise ProcessExitedAlready
        self.signals.append(name)

    def loseConnection(self) -> None:
        self.lost = True


class Processes:
    """The slice of a reactor that starts processes."""

    def __init__(self) -> None:
        self.started: list[FakeProcess] = []

    def spawnProcess(self, protocol, executable, args, env):
        process = FakeProcess(protocol, args)
        self.started.append(process)
        protocol.makeConnection(process)
        return process


class HelperTests(SynchronousTestCase):
    """docker-credential-helper commands."""

    def setUp(self) -> None:
        self.processes, self.clock = Processes(), Clock()

    def store(self, lifetime: float | None) -> HelperCredentials:
        return HelperCredentials(self.processes, self.clock, "helper -x", lifetime)

    def answer(self, output: bytes, good: bool = True) -> None:
        from twisted.internet.error import ProcessDone, ProcessTerminated
        from twisted.python.failure import Failure

        process = self.processes.started[-1]
        process.protocol.errReceived(b"a secret on stderr")
        process.protocol.outReceived(output)
        reason = ProcessDone(0) if good else ProcessTerminated(1)
        process.protocol.processEnded(Failure(reason))

    def test_protocol(self) -> None:
        """``get`` by the shell, the server on standard input, JSON back."""
        store = self.store(None)
        verifyObject(ICredentialStore, store)
        done = store.credentials(server="auth.example")
        process = self.processes.started[0]
        self.assertEqual(process.arguments, ["/bin/sh", "-c", "exec helper -x get"])
        self.assertEqual((process.input, process.closed), (b"auth.example\n", True))
        self.answer(b'{"ServerURL": "x", "Username": "u", "Secret": "p"}')
        self.assertEqual(self.successResultOf(done), Credentials("u", "p"))

    def test_identity_token(self) -> None:
        """A user called <token> is none."""
        done = self.store(None).credentials("s")
        self.answer(b'{"Username": "<token>", "Secret": "refresh"}')
        expected = Credentials(identity_token="refresh")
        self.assertEqual(self.successResultOf(done), expected)

    def test_lifetime(self) -> None:
        """For ever, not at all, or for so long; one run however many ask."""
        for lifetime, later, runs in (
            (None, 1e9, 1),
            (0.0, 0, 2),
            (60, 50, 1),
            (60, 61, 2),
        ):
            self.processes.started.clear()
            store = self.store(lifetime)
            first, second = store.credentials("s"), store.credentials("s")
            self.answer(b'{"Username": "u", "Secret": "p"}')
            self.successResultOf(first)
            self.successResultOf(second)
            self.clock.advance(later)
            store.credentials("s").addErrback(lambda _: None)
            self.assertEqual(
                (lifetime, later, len(self.processes.started)), (lifetime, later, runs)
            )

    def test_many_servers(self) -> None:
        """So many commands run at once, and the latest servers are remembered."""
        store = self.store(None)
        for number in range(2 * MAX_SERVERS):
            done = [store.credentials(f"s{number}-{part}") for part in range(5)]
            self.assertLessEqual(len(self.processes.started), MAX_PROCESSES)
            while self.processes.started:
                process = self.processes.started[-1]
                self.answer(b'{"Username": "u", "Secret": "p"}')
                self.processes.started.remove(process)
            for one in done:
                self.assertEqual(self.successResultOf(one), Credentials("u", "p"))
        self.assertEqual(len(store._cache), MAX_SERVERS)
        self.successResultOf(store.credentials(f"s{2 * MAX_SERVERS - 1}-0"))

    def test_failures(self) -> None:
        """A command that fails or babbles is a warning and no credentials."""
        for output, good in (
            (b"", False),
            (b"nonsense", True),
            (b"[]", True),
            (b"[" * 60_000, True),
            (b'{"Username": 1, "Secret": "p"}', True),
            (b'{"Username": "u", "Secret": null}', True),
        ):
            done = self.store(0).credentials("s")
            self.answer(output, good)
            self.assertIsNone(self.successResultOf(done), output[:40])

    def test_no_process(self) -> None:
        """Where no process can be started, there is a warning and no credentials."""

        def no_process(*_: object) -> None:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        self.processes.spawnProcess = no_process
        done = self.store(None).credentials("s")
        self.assertIsNone(self.successResultOf(done))

    def test_warning(self) -> None:
        """It names the server, and the status with which the command ended."""
        with capturedLogs() as events:
            self.store(0).credentials("auth.example")
            self.answer(b"", False)
        (text,) = (formatEvent(event) for event in events)
        self.assertIn("failed for auth.example: the command ended with status 1;", text)

    def test_command_that_takes_too_long(self) -> None:
        """It is killed."""
        done = self.store(0).credentials("s")
        self.clock.advance(31)
        self.assertEqual(self.processes.started[0].signals, ["KILL"])
        self.assertIsNone(self.successResultOf(done))

    def test_command_that_leaves_a_process(self) -> None:
        """One that has exited while a child holds its output times out too."""
        done = self.store(0).credentials("s")
        process = self.processes.started[0]
        process.has_exited = True
        self.clock.advance(31)
        self.assertIsNone(self.successResultOf(done))
        self.assertTrue(process.lost)

    def test_static(self) -> None:
        """The configuration's own."""
        who = Credentials("u", "p")
        done = StaticCredentials(who).credentials(server="any")
        self.assertEqual(self.successResultOf(done), who)
        self.assertNotIn("'p'", repr(who))
