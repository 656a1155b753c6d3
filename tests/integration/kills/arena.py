"""One storage directory, and a registry on it that is killed again and again."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import attrs
import yaml

from tests.integration.forked import ForkedInThread, shared_forkserver
from tests.integration.kills import tree
from tests.integration.kills.client import Client, Gone
from tests.integration.kills.inspector import Inspector
from tests.integration.kills.model import Model
from tests.integration.kills.pace import Pace
from tests.integration.kills.power import lose_power
from tests.integration.kills.worker import THEMES, Worker
from tests.integration.support import TWISTD, free_port

COMMAND = str(Path(sys.executable).parent / "txregistry")

#: The command, loaded and waiting for a line: so that a kill meets its work rather
#: than its start.
LOADED = (
    "import sys; from txregistry.cli.main import main;"
    " print('ready', flush=True); sys.stdin.readline();"
    " main(sys.argv[1:], prog_name='txregistry')"
)

#: Seconds after which each kind of collection is killed at the latest, to begin with.
LONGEST = {"offline": 0.5, "asked": 0.3, "loaded": 0.4, "command": 1.3, "patient": 1.3}

#: Workers that are busy at the same time.
WORKERS = 3

#: A process that was started.
Running = subprocess.Popen[bytes] | ForkedInThread

#: Seconds that anything may take that does not hang.
PATIENCE = 60.0


@attrs.define(eq=False)
class Arena:
    """Kills, and looks at what is left.

    :ivar delay: seconds that a kill comes after the work has begun, at most.
    :ivar counts: what was done how often, and how collections ended.
    """

    directory: Path
    seed: str
    port: int = attrs.field(factory=free_port)
    model: Model = attrs.field(factory=Model)
    delay: float = 0.3
    counts: dict[str, int] = attrs.field(factory=dict)
    _daemon: Running | None = None
    _listening_at: float = 0.0
    _running: list[Running] = attrs.field(factory=list)
    _reported: bool = False
    _dice: random.Random = attrs.field(init=False)
    _pace: Pace = attrs.field(init=False)
    _killed: threading.Event = attrs.field(factory=threading.Event)
    _threads: list[threading.Thread] = attrs.field(factory=list)
    _failures: list[BaseException] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._pace = Pace(self._dice, dict(LONGEST))
        config = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.root)},
                "cache": {"blobdescriptor": "inmemory"},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{self.port}"},
        }
        self.config.write_text(yaml.safe_dump(config))

    @property
    def root(self) -> Path:
        return self.directory / "killed"

    @property
    def config(self) -> Path:
        return self.directory / "killed.yml"

    @property
    def log(self) -> Path:
        return self.directory / "killed.log"

    def round(self, number: int) -> None:
        """Work on a registry and kill it, look at the files, start it, look at it."""
        theme = self._dice.choice((*THEMES, "collect", "collect", "offline", "start"))
        self.model.note(f"=== round {number}: {theme}")
        self.counts[theme] = self.counts.get(theme, 0) + 1
        if theme == "offline":
            self._collect_offline()
        elif theme == "start":
            self._kill_while_starting()
        else:
            self._kill_at_work(theme)
        self._check_files()
        if self._dice.random() < 0.5:
            spoiled = lose_power(self.root, self._dice)
            self.model.note("power lost:", spoiled)
            self._count("power lost" if spoiled else "power lost, all safe")
        self._daemon = self._start()
        self._settle()

    def finish(self) -> None:
        """Collect all that is left over, so that just what tags keep stays."""
        self.model.begin_collection()
        command = [COMMAND, "garbage-collect", "-m", "--grace", "0s", str(self.config)]
        done = subprocess.run(
            command, check=False, capture_output=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done
        self.model.end_collection()
        left = tree.stored(self.root)
        self._settle()
        self._kill_daemon()
        self._check_files()
        _, needed = self.model.kept()
        differ = left ^ needed
        assert not differ, f"{differ}\n{self.model.story(*differ)}"

    def end(self) -> None:
        """Leave no process behind."""
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.wait()

    def _kill_at_work(self, theme: str) -> None:
        collection = None
        if theme == "collect":
            theme = self._dice.choice(("everything", "tags", "commit", "delete"))
            collection = self._dice.choice(("command", "loaded", "asked", "patient"))
        if self._daemon is None:
            self._daemon = self._start()
        loaded = self._load("0s") if collection == "loaded" else None
        self._killed.clear()
        for number in range(WORKERS):
            self._thread(self._work, number, theme, f"{self._dice.random()}")
        if collection is not None:
            self._collect_beside(collection, loaded)
        else:
            self._wait(self._dice.uniform(0, self.delay))
        self._killed.set()
        self._kill_daemon()
        while self._threads:
            thread = self._threads.pop()
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a client hangs"
        self._end_collection()
        if self._failures:
            raise self._failures[0]

    def _collect_beside(
        self, form: str, loaded: subprocess.Popen[bytes] | None
    ) -> None:
        """Begin a collection, and wait until it is time to kill.

        With ``patient`` it has a grace, and takes nothing away.
        """
        if form == "patient":
            self._run([*self._arguments("24h")])
        else:
            self._change(self.model.begin_collection)
        if form == "asked":
            self._reported = False
            self._thread(self._ask_for_collection)
        elif form == "command":
            self._run(self._arguments("0s"))
        elif loaded is not None:
            self._let_go(loaded)
        self.model.note("collection:", form)
        self._wait(self._pace.draw(form))
        ended = self._reported if form == "asked" else self._running[-1].poll() == 0
        self._pace.learn(form, ended)
        self._count(f"{form} {'ended' if ended else 'killed'}")
        if form != "asked" and self._dice.random() < 0.25:
            # The one who asked for it is killed first.
            self._running[-1].kill()
            self._wait(self._dice.uniform(0, 0.1))

    def _collect_offline(self) -> None:
        """Collect without a daemon, and kill that."""
        self._kill_daemon()
        loaded = self._load("0s")
        self.model.begin_collection()
        before = tree.names(self.root)
        self._let_go(loaded)
        try:
            loaded.wait(self._pace.draw("offline"))
        except subprocess.TimeoutExpired:
            loaded.kill()
            loaded.wait()
        ended = loaded.returncode == 0
        self._pace.learn("offline", ended)
        assert loaded.returncode in (0, -signal.SIGKILL), self._said()
        assert "Traceback" not in self._said(), self._said()
        at_work = not ended and tree.names(self.root) != before
        how = "ended" if ended else "killed at work" if at_work else "killed"
        self._count(f"offline {how}")
        self.model.end_collection()

    def _kill_while_starting(self) -> None:
        self._kill_daemon()
        self._daemon = self._spawn()
        self._wait(self._dice.uniform(0, 0.8))
        self._kill_daemon()

    def _end_collection(self) -> None:
        """Wait for the command, which may go on without the daemon."""
        for process in self._running:
            code = process.wait(PATIENCE)
            assert code in (0, 1, -signal.SIGKILL), (code, self._said())
        self._running.clear()
        self._change(self.model.end_collection)
        assert "Traceback" not in self._said(), self._said()

    def _ask_for_collection(self) -> None:
        """Ask as the command does; what is begun after the first word is spared."""
        options = {"delete_untagged": True, "grace_seconds": 0}
        question = {"command": "collect", "options": options}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            try:
                connection.connect(str(self.root / "txregistry" / "control.sock"))
                connection.sendall(json.dumps(question).encode() + b"\n")
                self._listen(connection)
            except OSError:
                return

    def _listen(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as answers:
            for line in answers:
                if b"progress" in line:
                    self._change(self._see)
                if b"report" in line:
                    self._reported = True
                if b"error" in line:
                    self._failures.append(AssertionError(line))

    def _see(self) -> None:
        self.model.seen = self.model.collecting

    def _work(self, number: int, theme: str, seed: str) -> None:
        client = Client(self.port)
        worker = Worker(number, client, self.model, random.Random(seed))
        try:
            worker.work(theme)
        except Gone as gone:
            if not self._killed.wait(PATIENCE):
                raise AssertionError(self._said()) from gone
        finally:
            client.close()

    def _settle(self) -> None:
        client = Client(self.port)
        dice = random.Random(self._dice.random())
        try:
            Inspector(self.root, client, self.model, dice, self._listening_at).settle()
        except Gone as gone:
            raise AssertionError(self._said()) from gone
        finally:
            client.close()

    def _check_files(self) -> None:
        found = tree.problems(self.root)
        if found:
            about = [part for line in found for part in line.split("/")]
            story = self.model.story(*(part for part in about if len(part) > 30))
            raise AssertionError("\n".join([*found, story]))

    def _start(self) -> ForkedInThread:
        """Start the daemon; give it when it listens."""
        daemon = self._fork()
        for _ in range(int(PATIENCE / 0.02)):
            assert daemon.poll() is None, self._said()
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                self._listening_at = time.time()
                return daemon
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"it does not listen: {self._said()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        return self._run(self._daemon_argv)

    def _fork(self) -> ForkedInThread:
        """Start the daemon where it is not about the start, which takes less so."""
        with self.log.open("wb") as log:
            process = shared_forkserver().fork_in_thread(
                self._daemon_argv, self._environment, str(self.directory), log.fileno()
            )
        self._running.append(process)
        return process

    @property
    def _daemon_argv(self) -> list[str]:
        return [TWISTD, "-n", "--pidfile=", "registry", "-c", str(self.config)]

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "NO_PROXY": "*"}

    def _run(self, argv: list[str], **more: int | IO[bytes]) -> subprocess.Popen[bytes]:
        with self.log.open("wb" if argv[0] == TWISTD else "ab") as log:
            process = subprocess.Popen(
                argv,
                **{"stdout": log, "stderr": log, **more},
                env=self._environment,
                cwd=self.directory,
            )
        self._running.append(process)
        return process

    def _arguments(self, grace: str, *before: str) -> list[str]:
        options = ("garbage-collect", "-m", "-q", "--grace", grace, str(self.config))
        return [*(before or (COMMAND,)), *options]

    def _load(self, grace: str) -> subprocess.Popen[bytes]:
        command = self._arguments(grace, sys.executable, "-c", LOADED)
        pipe = subprocess.PIPE
        loaded = self._run(command, stdin=pipe, stdout=pipe)
        assert loaded.stdout is not None and loaded.stdout.readline() == b"ready\n"
        loaded.stdout.close()
        return loaded

    def _let_go(self, loaded: subprocess.Popen[bytes]) -> None:
        assert loaded.stdin is not None
        loaded.stdin.write(b"\n")
        loaded.stdin.close()

    def _kill_daemon(self) -> None:
        daemon, self._daemon = self._daemon, None
        if daemon is None:
            return
        assert daemon.poll() is None or self._failures, self._said()
        daemon.kill()
        daemon.wait()
        self._running.remove(daemon)

    def _said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def _wait(self, seconds: float) -> None:
        """Let the others work, unless one of them has found something."""
        until = time.monotonic() + seconds
        while not self._failures and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))

    def _change(self, work: Callable[[], object]) -> None:
        with self.model.lock:
            work()

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def _thread(self, work: Callable[..., object], *args: object) -> None:
        def run() -> None:
            try:
                work(*args)
            except BaseException as error:
                self._failures.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._threads.append(thread)
