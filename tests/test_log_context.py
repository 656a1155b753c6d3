"""Whose each event of the log is: see Note [Whose event] in ``flow/context``."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from pathlib import Path

from twisted.internet.defer import Deferred, DeferredLock, fail
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

import txregistry
from tests.test_rooms import parsed
from txregistry.flow.context import (
    background,
    client_share,
    in_context,
    named,
    request_id,
    work_name,
)
from txregistry.flow.deferred import deferred, shielded
from txregistry.flow.keyed_locks import KeyedLocks
from txregistry.interfaces.driver import DriverError
from txregistry.observe.logs import make_observer
from txregistry.storage.uploads.purge import PurgePlan, UploadPurger, UploadPurging
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault

HOUSE = Path(txregistry.__file__).parent

LEVELS = {"debug", "info", "warn", "error", "critical", "failure", "emit"}
LEVELS |= {"failuresHandled", "failureHandler"}

#: Take a function and call it later, in a context of their own.
CALLERS = {"addCallback", "addCallbacks", "addErrback", "addBoth", "callLater"}
CALLERS |= {"LoopingCall", "callFromThread", "callWhenRunning", "deferLater"}

#: Bind a function to a context.
BINDERS = {"in_context", "named", "run_in_context", "partial"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(node: ast.expr) -> str:
    """Give the last part of a name, of whoever it is an attribute."""
    return getattr(node, "attr", getattr(node, "id", ""))


def word_of(node: ast.AST) -> str:
    """Give the name or the text that a node is, or nothing."""
    words = (getattr(node, what, "") for what in ("attr", "id", "name", "value"))
    return " ".join(word for word in words if isinstance(word, str))


def is_logger(node: ast.AST) -> bool:
    """Tell whether a node makes a logger."""
    return isinstance(node, ast.Call) and name_of(node.func) == "Logger"


def is_log_call(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in LEVELS and name_of(node.func.value) == "_log"


def own(function: ast.AST) -> Iterator[ast.AST]:
    """Walk what a function does itself, without the functions in it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, Function):
            yield child
            yield from own(child)


def called(function: ast.AST) -> set[str]:
    return {name_of(n.func) for n in own(function) if isinstance(n, ast.Call)}


def functions(tree: ast.Module) -> dict[str, list[Function]]:
    found: dict[str, list[Function]] = {}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            found.setdefault(node.name, []).append(node)
    return found


def decorators(function: Function) -> set[str]:
    """Give the names of its decorators, be they called or not."""
    nodes = function.decorator_list
    return {name_of(n.func if isinstance(n, ast.Call) else n) for n in nodes}


def that_log(there: dict[str, list[Function]]) -> set[str]:
    """Give functions of a module that log, or call one of it that does.

    One that names its work is no caller's business.
    """
    calls = [
        (name, called(node), any(map(is_log_call, own(node))))
        for name, nodes in there.items()
        for node in nodes
        if "background" not in decorators(node)
    ]
    found: set[str] = set()
    while True:
        more = {name for name, names, logs in calls if logs or names & found}
        if more == found:
            return found
        found = more


def handed_over(call: ast.Call) -> Iterator[str]:
    """Give the functions that a call takes unbound, or that its lambdas call."""
    for given in (*call.args, *(word.value for word in call.keywords)):
        if isinstance(given, ast.Attribute | ast.Name):
            yield name_of(given)
        elif isinstance(given, ast.Lambda):
            names = called(given)
            yield from () if names & BINDERS else names


class EveryLogCallTests(SynchronousTestCase):
    """No event is nobody's, or in the name of another."""

    def modules(self) -> Iterator[tuple[str, ast.Module]]:
        for path in HOUSE.rglob("*.py"):
            yield str(path.relative_to(HOUSE)), parsed(path)

    def test_walk(self) -> None:
        """All calls of loggers are seen by this test: none has another name."""
        for name, tree in self.modules():
            nodes = list(ast.walk(tree))
            made = sum(map(is_logger, nodes))
            named = sum(
                isinstance(n, ast.Assign)
                and [getattr(x, "id", "") for x in n.targets] == ["_log"]
                and is_logger(n.value)
                for n in nodes
            )
            self.assertEqual(made, named, name)

    def test_functions_that_are_called_back(self) -> None:
        """What logs and is called back is bound to a context, or names its work."""
        seen = 0
        for name, tree in self.modules():
            there = functions(tree)
            loud = that_log(there)
            seen += sum(map(is_log_call, ast.walk(tree)))
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and name_of(node.func) in CALLERS:
                    unbound = set(handed_over(node)) & loud
                    self.assertEqual(unbound, set(), f"{name}:{node.lineno}")
        self.assertGreater(seen, 70)

    def test_no_other_threads(self) -> None:
        """Only the pool that binds its jobs hands work to threads."""
        for name, tree in self.modules():
            if name != "flow/disk.py":
                for word in map(word_of, ast.walk(tree)):
                    self.assertNotRegex(word, "deferToThread|callInThread", name)


class ContextTests(SynchronousTestCase):
    """The ways by which a context is kept."""

    def setUp(self) -> None:
        self.addCleanup(request_id.reset, request_id.set("r1"))
        self.addCleanup(client_share.reset, client_share.set("me"))

    def elsewhere(self, function: object) -> object:
        """Call something as another request."""
        token = request_id.set("r2")
        try:
            return function()  # type: ignore[operator]
        finally:
            request_id.reset(token)

    def test_bound(self) -> None:
        """A bound function sees the context in which it was bound, also in itself."""
        again = in_context(request_id.get)
        bound = in_context(lambda: (request_id.get(), again()))
        self.assertEqual(self.elsewhere(bound), ("r1", "r1"))

    def test_named(self) -> None:
        """Named work has its name, and the request that began it."""
        bound = named("fill:x", lambda: (request_id.get(), work_name.get()))
        self.assertEqual(self.elsewhere(bound), ("r1", "fill:x"))
        self.assertEqual(work_name.get(), "")

    def test_background(self) -> None:
        """Background work has a name only, across all that it waits for."""
        waiting: Deferred[None] = Deferred()

        @background("purge")
        @deferred
        async def work() -> tuple[str, str, str]:
            await waiting
            return request_id.get(), client_share.get(), work_name.get()

        done = work()
        waiting.callback(None)
        self.assertEqual(self.successResultOf(done), ("", "", "purge"))

    def test_locks(self) -> None:
        """Work that waited for a lock is not that of who released it."""
        locks: KeyedLocks[str] = KeyedLocks()
        first: Deferred[None] = Deferred()
        locks.run("k", lambda: first)
        seen: list[str] = []

        @deferred
        async def work() -> None:
            seen.append(request_id.get())

        locks.run("k", work)
        self.elsewhere(lambda: first.callback(None))
        self.assertEqual(seen, ["r1"])

    def test_locks_of_twisted(self) -> None:
        """Theirs are why: they call in the context of who releases them."""
        lock, first, seen = DeferredLock(), Deferred[None](), list[str]()
        lock.run(lambda: first)
        lock.run(lambda: seen.append(request_id.get()))
        lock.run(in_context(lambda: seen.append(request_id.get())))
        self.elsewhere(lambda: first.callback(None))
        self.assertEqual(seen, ["r2", "r1"])

    def test_orphans(self) -> None:
        """The failure of work that nobody waits for is that of who began it."""
        waiting: Deferred[None] = Deferred()
        seen: list[str] = []

        async def work() -> None:
            await waiting

        done = shielded(work(), lambda _: seen.append(request_id.get()))
        done.addErrback(lambda _: None)
        done.cancel()
        self.elsewhere(lambda: waiting.errback(OSError()))
        self.assertEqual(seen, ["r1"])


class HouseLogTests(SynchronousTestCase):
    """The main ways to an event, in a whole house."""

    def setUp(self) -> None:
        self.stream = io.StringIO()
        observer = make_observer("json", "debug", {}, self.stream)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.house = TestHouse()

    def events(self, text: str) -> list[dict[str, object]]:
        lines = map(json.loads, self.stream.getvalue().splitlines())
        found = [event for event in lines if text in event["message"]]
        self.assertTrue(found, self.stream.getvalue())
        return found

    def break_driver(self, name: str) -> None:
        error = DriverError("/x", "disk broken")
        self.patch(MemoryDriver, name, lambda *_, **__: fail(error))

    def assertOfLast(self, text: str) -> None:
        identity = self.house.recorder.exchanges[-1].request_id
        self.assertEqual({e.get("request") for e in self.events(text)}, {identity})

    def test_miss_with_a_failing_driver(self) -> None:
        """The download that cannot be kept has the id of the request, and its name."""
        digest = self.house.upstream.add_blob("a/b", b"x" * 100)
        self.break_driver("writer")
        self.break_driver("apply")
        self.house.get(f"/v2/a/b/blobs/{digest}")
        self.flushLoggedErrors(DriverError)
        self.assertOfLast("failed")
        events = self.events("download of blob")
        self.assertEqual({e["work"] for e in events}, {f"fill:{digest}"})

    def test_push_with_a_failing_driver(self) -> None:
        """The failure of the storage has the id of the request."""
        digest = "sha256:" + "0" * 64
        self.break_driver("apply")
        self.break_driver("writer")
        body = b"x" * 2_000_000
        path = f"/v2/a/b/blobs/uploads/?digest={digest}"
        self.house.send("POST", path, body)
        self.flushLoggedErrors(DriverError)
        self.assertOfLast("storage failed")

    def test_download_that_goes_on(self) -> None:
        """After its client has left, its events are still the client's."""
        digest = self.house.upstream.add_blob("a/b", b"x" * 500_000)
        self.house.upstream.faults.append(
            Fault("/blobs/", method="GET", cut_after=200_000, how="hang")
        )
        self.house.ask("GET", f"/v2/a/b/blobs/{digest}").addErrback(lambda _: None)
        for _ in range(20):
            self.house.pump()
            self.house.clock.advance(0.01)
        (request,) = self.house.site.active
        request.channel.transport.loseConnection()
        for _ in range(3000):
            self.house.pump()
            self.house.clock.advance(0.1)
        for event in self.events(f"blob {digest}"):
            self.assertEqual(event["request"], request.request_id)
            self.assertEqual(event["work"], f"fill:{digest}")

    def test_purge(self) -> None:
        """It has a name, and no request."""
        purger = UploadPurger(self.house.driver, self.house.clock)
        plan = PurgePlan(1.0, 9.0, 9.0, False)
        purging = UploadPurging(purger, self.house.clock, plan)
        token = request_id.set("not mine")
        purging.startService()
        request_id.reset(token)
        self.house.clock.advance(2.0)
        (event,) = self.events("purged")
        self.assertEqual((event["work"], event.get("request")), ("purge", None))
        purging.stopService()

    def test_expiry(self) -> None:
        """So has expiry."""
        self.patch(type(self.house.ledger), "flush", lambda _: fail(OSError("gone")))
        self.house.settle(self.house.scheduler.tick())
        self.flushLoggedErrors(OSError)
        (event,) = self.events("expiry failed")
        self.assertEqual((event["work"], event.get("request")), ("expiry", None))
