"""Events are kept on disk and posted in order until they are taken."""

from __future__ import annotations

import gc
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet import task
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface.verify import verifyObject

from txregistry.flow.database import Database
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.events import (
    Action,
    Event,
    EventTarget,
    IEventSink,
    Requested,
)
from txregistry.notifications import queue
from txregistry.notifications.endpoint import Endpoint, EndpointSettings
from txregistry.notifications.envelope import EventSource, Filter
from txregistry.notifications.notifier import Notifier
from txregistry.notifications.silent import NullSink
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.testing.wire import Wire

NOW = 1_700_000_000


def event(number: int, action: Action = Action.PUSH, kind: str = "text/x") -> Event:
    """Make an event that can be told from others by its size."""
    descriptor = Descriptor(Digest.of(b"%d" % number), number, kind)
    target = EventTarget(RepositoryName.parse("a/b"), descriptor)
    return Event(action, target, Requested("r"))


class Listener(Resource):
    """Takes events, or not.

    :ivar got: the size that each event that came had, in order, for each path.
    :ivar answers: statuses that are given first, or ``None`` to give no answer, or
        ``...`` to begin an answer and not to end it.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.got: list[int] = []
        self.ids: list[str] = []
        self.requests: list[Any] = []
        self.answers: list[Any] = []
        self.default: Any = 200
        self.times: list[float] = []
        self.clock: Clock | None = None

    def render(self, request: Any) -> Any:
        (found,) = json.loads(request.content.read())["events"]
        self.got.append(found["target"]["size"])
        self.ids.append(found["id"])
        self.requests.append(request)
        self.times.append(self.clock.seconds() - NOW)
        status = self.answers.pop(0) if self.answers else self.default
        if status is None:
            return NOT_DONE_YET
        if status is ...:
            request.write(b"to be continued")
            return NOT_DONE_YET
        request.setResponseCode(status)
        if status // 100 == 3:
            request.setHeader("Location", "http://elsewhere.example/")
        return b"thanks"


class FailingDisk(InlineDisk):
    """A disk that can be told to fail."""

    error: Exception | None = None

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Do work, or fail."""
        return super().run(work, *args) if self.error is None else fail(self.error)


class SlowDisk(InlineDisk):
    """A disk that takes its time, one job after the other."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.free_at = 0.0

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Do work a tenth of a second after what came before."""
        done: Deferred[Any] = Deferred()
        now = self.clock.seconds()
        self.free_at = max(now, self.free_at) + 0.1

        def finish() -> None:
            inline = super(SlowDisk, self).run(work, *args)
            # Whoever was cancelled hears no more, as from a thread.
            inline.addBoth(lambda found: None if done.called else done.callback(found))

        self.clock.callLater(self.free_at - now, finish)
        return done


class NotifierCase(SynchronousTestCase):
    """Listeners on an in-memory wire, and a queue in a file."""

    limit = 1000

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        # treq sends a body by Twisted's one cooperator, which has its own time.
        cooperator = task.Cooperator(
            scheduler=lambda work: self.clock.callLater(0.00001, work)
        )
        self.patch(task, "_theCooperator", cooperator)
        self.listeners: dict[str, Listener] = {}
        self.wires: dict[str, Wire] = {}
        self.directory = Path(self.mktemp())
        self.disk: Any = FailingDisk()
        self.running: list[Notifier] = []
        self.addCleanup(self.stop_all)

    def stop_all(self) -> None:
        for notifier in self.running:
            if notifier.running:
                self.finish(notifier.stopService())
        # What nobody has heard of is to be told in the test that it belongs to.
        gc.collect()

    def endpoint(
        self, name: str, events: queue.EventQueue, **settings: Any
    ) -> Endpoint:
        if name not in self.listeners:
            listener = self.listeners[name] = Listener()
            listener.clock = self.clock
            self.wires[name] = Wire(Site(listener, reactor=self.clock), self.clock)
        given = EndpointSettings(name, f"http://{name}.example/hook", **settings)
        client = HTTPClient(self.wires[name])
        return Endpoint(given, events, client, self.clock)

    def notifier(self, *names: str, **settings: Any) -> Notifier:
        """Start a notifier, as a new process would."""
        path = str(self.directory / "events.sqlite3")
        database = Database(path, self.disk, queue.SCHEMA, queue.VERSION, durable=True)
        events = queue.EventQueue(database)
        endpoints = [
            self.endpoint(name, events, **settings) for name in names or ("hook",)
        ]
        source = EventSource("host:5000", "instance")
        made = Notifier(endpoints, events, source, True, self.limit, self.clock)
        self.running.append(made)
        self.finish(made.startService())
        return made

    def finish(self, done: Deferred[Any]) -> None:
        """Wait for something that takes no listener's answer."""
        outcome: list[Any] = []
        done.addBoth(outcome.append)
        for _ in range(100):
            if outcome:
                break
            self.clock.advance(0.1)
        self.assertEqual(outcome, [None])

    def pass_time(self, seconds: float, step: float = 0.05) -> None:
        """Move bytes and the clock."""
        for _ in range(round(seconds / step)):
            self.pump()
            self.clock.advance(step)
        self.pump()

    def pump(self) -> None:
        while any(wire.pump() for wire in self.wires.values()):
            pass

    def emit(self, notifier: Notifier, *numbers: int) -> list[Deferred[None]]:
        return [notifier.emit(event=event(number)) for number in numbers]

    @property
    def hook(self) -> Listener:
        return self.listeners["hook"]

    def stored(self) -> int:
        """Count what is on disk."""
        with sqlite3.connect(self.directory / "events.sqlite3") as db:
            (count,) = db.execute("SELECT count(*) FROM events").fetchone()
        db.close()
        return count

    def metrics(self, notifier: Notifier, number: int = 0) -> dict[str, Any]:
        return notifier.state()[number]["Metrics"]


class DeliveryTests(NotifierCase):
    """All goes well."""

    def test_contract(self) -> None:
        """It is an event sink that listens; silence is one that does not."""
        notifier = self.notifier()
        verifyObject(IEventSink, notifier)
        verifyObject(IEventSink, NullSink())
        self.assertTrue(notifier.listening)
        self.assertFalse(NullSink().listening)
        self.assertIsNone(self.successResultOf(NullSink().emit(event=event(1))))

    def test_one_event_per_post(self) -> None:
        """Each event is posted by itself, with its media type and the headers."""
        notifier = self.notifier(headers={"Authorization": ["Bearer x"], "X-Y": "ab"})
        self.emit(notifier, 1, 2)
        self.pass_time(1)
        self.assertEqual(self.hook.got, [1, 2])
        request = self.hook.requests[0]
        self.assertEqual(request.method, b"POST")
        self.assertEqual(request.uri, b"/hook")
        self.assertEqual(
            request.getHeader("Content-Type"),
            "application/vnd.docker.distribution.events.v2+json",
        )
        self.assertEqual(request.getHeader("Authorization"), "Bearer x")
        given = request.requestHeaders.getRawHeaders("X-Y")
        self.assertEqual(given, ["a", "b"])

    def test_ids_differ(self) -> None:
        """Each event has an id of its own, the same for all endpoints."""
        notifier = self.notifier("hook", "other")
        self.emit(notifier, 1, 2)
        self.pass_time(1)
        self.assertEqual(len(set(self.hook.ids)), 2)
        self.assertEqual(self.hook.ids, self.listeners["other"].ids)

    def test_kept_before_it_is_promised(self) -> None:
        """Whoever emits hears of it when the event is on disk, not before."""
        notifier = self.notifier()
        self.hook.default = None
        (done,) = self.emit(notifier, 1)
        self.assertNoResult(done)
        self.clock.advance(0)
        self.successResultOf(done)
        self.assertEqual(self.stored(), 1)

    def test_order(self) -> None:
        """Hundreds of events arrive in the order in which they came."""
        notifier = self.notifier()
        for start in range(0, 300, 50):
            self.emit(notifier, *range(start, start + 50))
            self.pass_time(0.1, 0.01)
        self.pass_time(10, 0.01)
        self.assertEqual(self.hook.got, list(range(300)))
        self.assertEqual(self.stored(), 0)

    def test_taken_is_forgotten(self) -> None:
        """What was taken is on disk no more, and no timer is left."""
        notifier = self.notifier()
        self.emit(notifier, 1)
        self.pass_time(1)
        self.assertEqual(self.stored(), 0)
        self.assertEqual(self.metrics(notifier)["Pending"], 0)
        self.finish(notifier.stopService())
        self.assertEqual(self.running_timers(), [])

    def running_timers(self) -> list[Any]:
        # An idle connection's own timers are the server's and the pool's.
        return [
            call
            for call in self.clock.getDelayedCalls()
            if "notifications" in getattr(call.func, "__module__", "")
        ]

    def test_success(self) -> None:
        """Any 2xx and any 3xx is taken; a redirect is not followed."""
        notifier = self.notifier()
        self.hook.answers = [200, 202, 204, 301, 302, 307, 308]
        self.emit(notifier, *range(7))
        self.pass_time(2)
        self.assertEqual(self.hook.got, list(range(7)))
        found = self.metrics(notifier)
        self.assertEqual((found["Successes"], found["Failures"]), (7, 0))

    def test_endpoints_do_not_wait_for_one_another(self) -> None:
        """An endpoint that takes nothing holds nobody else up."""
        notifier = self.notifier("hook", "other")
        self.hook.default = 500
        self.emit(notifier, 1, 2, 3)
        self.pass_time(3)
        self.assertEqual(set(self.hook.got), {1})
        self.assertEqual(self.listeners["other"].got, [1, 2, 3])

    def test_state(self) -> None:
        """The state names what distribution's names, and counts."""
        notifier = self.notifier(threshold=3, backoff=2.0)
        self.hook.answers = [500, 200]
        self.emit(notifier, 1)
        self.pass_time(2)
        (found,) = notifier.state()
        self.assertEqual(found["Name"], "hook")
        self.assertEqual(found["URL"], "http://hook.example/hook")
        self.assertEqual((found["Threshold"], found["Backoff"]), (3, 2.0))
        self.assertEqual(
            found["Metrics"],
            {
                "Pending": 0,
                "Events": 1,
                "Successes": 1,
                "Failures": 1,
                "Errors": 0,
                "Dropped": 0,
                "Statuses": {"500": 1, "200": 1},
            },
        )


class FilterTests(NotifierCase):
    """What an endpoint does not want."""

    def test_ignored(self) -> None:
        """What is ignored by type or by action is neither posted nor counted."""
        notifier = self.notifier(
            filter=Filter(frozenset({"text/secret"}), frozenset({"pull"}))
        )
        done = [
            notifier.emit(event=event(1)),
            notifier.emit(event=event(2, Action.PULL)),
            notifier.emit(event=event(3, kind="text/secret")),
            notifier.emit(event=event(4)),
        ]
        self.pass_time(1)
        self.assertEqual(self.hook.got, [1, 4])
        self.assertEqual(self.metrics(notifier)["Events"], 2)
        for waiting in done:
            self.successResultOf(waiting)

    def test_one_of_two(self) -> None:
        """Each endpoint has its own list."""
        path = str(self.directory / "events.sqlite3")
        database = Database(path, self.disk, queue.SCHEMA, queue.VERSION)
        events = queue.EventQueue(database)
        pushes = self.endpoint(
            "hook", events, filter=Filter(actions=frozenset({"pull"}))
        )
        pulls = self.endpoint(
            "other", events, filter=Filter(actions=frozenset({"push"}))
        )
        source = EventSource("host:5000", "instance")
        notifier = Notifier([pushes, pulls], events, source, True, 10, self.clock)
        self.running.append(notifier)
        self.finish(notifier.startService())
        notifier.emit(event=event(1))
        notifier.emit(event=event(2, Action.PULL))
        self.pass_time(1)
        self.assertEqual((self.hook.got, self.listeners["other"].got), ([1], [2]))


class BoundTests(NotifierCase):
    """A queue has an end."""

    limit = 5

    def test_new_ones_are_dropped(self) -> None:
        """Beyond the limit new events are dropped and counted; the old ones stay."""
        notifier = self.notifier()
        self.hook.default = 500
        done = self.emit(notifier, *range(8))
        self.pass_time(1)
        for waiting in done:
            self.successResultOf(waiting)
        found = self.metrics(notifier)
        self.assertEqual((found["Pending"], found["Dropped"]), (5, 3))
        self.assertEqual(self.stored(), 5)
        self.hook.default = 200
        self.pass_time(15)
        self.assertEqual(self.hook.got[-5:], [0, 1, 2, 3, 4])

    def test_room_again(self) -> None:
        """When some were taken there is room for others."""
        notifier = self.notifier()
        self.emit(notifier, *range(5))
        self.pass_time(2)
        self.emit(notifier, *range(5, 10))
        self.pass_time(2)
        self.assertEqual(self.hook.got, list(range(10)))
        self.assertEqual(self.metrics(notifier)["Dropped"], 0)

    def test_what_an_earlier_process_left_counts(self) -> None:
        """Events from before the restart take room as well."""
        first = self.notifier()
        self.hook.default = 500
        self.emit(first, *range(4))
        self.pass_time(1)
        self.finish(first.stopService())
        second = self.notifier()
        self.emit(second, *range(4, 8))
        self.pass_time(1)
        found = self.metrics(second)
        self.assertEqual((found["Pending"], found["Dropped"]), (5, 3))

    def test_per_endpoint(self) -> None:
        """One endpoint that is full takes no room from another."""
        notifier = self.notifier("hook", "other")
        self.hook.default = 500
        for number in range(20):
            self.emit(notifier, number)
            self.pass_time(0.2)
        self.assertEqual(self.listeners["other"].got, list(range(20)))


class RestartTests(NotifierCase):
    """From one process to the next, by the same file."""

    def test_untold_is_told_by_the_next(self) -> None:
        """What was not told before a stop is told after the start, in order."""
        first = self.notifier()
        self.hook.default = 500
        self.emit(first, 1, 2, 3)
        self.pass_time(1)
        self.finish(first.stopService())
        self.hook.got.clear()
        self.pass_time(10)
        self.assertEqual(self.hook.got, [])
        self.hook.default = 200
        second = self.notifier()
        self.emit(second, 4)
        self.pass_time(2)
        self.assertEqual(self.hook.got, [1, 2, 3, 4])
        self.assertEqual(self.metrics(second)["Pending"], 0)

    def test_killed(self) -> None:
        """A process that is killed leaves what it promised."""
        first = self.notifier()
        self.hook.default = None
        done = self.emit(first, 1, 2)
        self.clock.advance(0)
        for waiting in done:
            self.successResultOf(waiting)
        abandoned = self.running.pop()
        for endpoint in abandoned._endpoints:
            endpoint.stop()
        self.hook.default = 200
        self.notifier()
        self.pass_time(2)
        self.assertEqual(self.hook.got[-2:], [1, 2])

    def test_told_and_not_yet_forgotten(self) -> None:
        """An event may be told twice, with the same id, and is never left out."""
        first = self.notifier()
        self.hook.answers = [None]
        self.emit(first, 1)
        self.pass_time(0.5)
        self.finish(first.stopService())
        self.notifier()
        self.pass_time(1)
        self.assertEqual(self.hook.got, [1, 1])
        self.assertEqual(self.hook.ids[0], self.hook.ids[1])
        self.assertEqual(self.stored(), 0)

    def test_stop_in_the_middle(self) -> None:
        """A stop between an emit and its write loses nothing."""
        notifier = self.notifier()
        self.hook.default = None
        done = self.emit(notifier, 1, 2)
        self.finish(notifier.stopService())
        for waiting in done:
            self.successResultOf(waiting)
        self.assertEqual(self.stored(), 2)

    def test_stop_during_a_write(self) -> None:
        """A stop while events are being written waits for them, and writes the rest."""
        self.disk = SlowDisk(self.clock)
        notifier = self.notifier()
        self.hook.default = None
        self.pass_time(1)
        done = self.emit(notifier, 1)
        self.clock.advance(0.01)
        done += self.emit(notifier, 2)
        self.finish(notifier.stopService())
        for waiting in done:
            self.successResultOf(waiting)
        self.assertEqual(self.stored(), 2)

    def test_stop_while_posting(self) -> None:
        """A stop while an endpoint has not answered ends that, and nothing follows."""
        notifier = self.notifier(timeout=5.0)
        self.hook.default = None
        self.emit(notifier, 1)
        self.pass_time(0.5)
        self.finish(notifier.stopService())
        self.assertEqual(self.hook.got, [1])
        self.pass_time(30)
        self.assertEqual(self.hook.got, [1])
        self.assertEqual(self.wires["hook"].open_connections, 0)

    def test_stop_while_waiting(self) -> None:
        """A stop while an endpoint is in its backoff ends that."""
        notifier = self.notifier(threshold=1, backoff=600.0)
        self.hook.default = 500
        self.emit(notifier, 1)
        self.pass_time(1)
        self.finish(notifier.stopService())
        self.hook.got.clear()
        self.pass_time(1000, 1.0)
        self.assertEqual(self.hook.got, [])

    def test_stop_twice(self) -> None:
        """A second stop does nothing more."""
        notifier = self.notifier()
        self.finish(notifier.stopService())
        self.finish(notifier.stopService())

    def test_stop_of_what_is_idle(self) -> None:
        """A notifier with nothing to do leaves no timers."""
        notifier = self.notifier()
        self.finish(notifier.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_endpoint_that_was_taken_out(self) -> None:
        """Events for an endpoint that is not configured any more are forgotten."""
        first = self.notifier("hook", "other")
        self.hook.default = self.listeners["other"].default = 500
        self.emit(first, 1, 2)
        self.pass_time(1)
        self.finish(first.stopService())
        self.notifier("hook")
        self.assertEqual(self.stored(), 2)


class DiskTests(NotifierCase):
    """The disk fails."""

    def test_events_are_dropped(self) -> None:
        """An event that cannot be kept is dropped and counted; no push waits for it."""
        notifier = self.notifier()
        self.disk.error = sqlite3.OperationalError("database or disk is full")
        (done,) = self.emit(notifier, 1)
        self.pass_time(1)
        self.successResultOf(done)
        found = self.metrics(notifier)
        self.assertEqual((found["Pending"], found["Dropped"]), (0, 1))
        self.disk.error = None
        self.pass_time(5)
        self.emit(notifier, 2)
        self.pass_time(1)
        self.assertEqual(self.hook.got, [2])
        self.assertTrue(self.flushLoggedErrors(sqlite3.OperationalError))

    def test_any_failure_of_the_disk(self) -> None:
        """However the disk fails, no push waits for ever."""
        for problem in (
            OSError(30, "Read-only file system"),
            sqlite3.DatabaseError("x"),
        ):
            notifier = self.notifier()
            self.disk.error = problem
            (done,) = self.emit(notifier, 1)
            self.pass_time(1)
            self.successResultOf(done)
            self.disk.error = None
            self.pass_time(2)
            self.finish(notifier.stopService())
            self.flushLoggedErrors(type(problem))

    def test_later_events_after_any_failure(self) -> None:
        """After a failure of the disk, the next event is kept and told."""
        notifier = self.notifier()
        self.disk.error = OSError(30, "Read-only file system")
        self.emit(notifier, 1)
        self.pass_time(1)
        self.disk.error = None
        self.pass_time(5)
        (done,) = self.emit(notifier, 2)
        self.pass_time(3)
        self.successResultOf(done)
        self.assertEqual(self.hook.got, [2])
        self.flushLoggedErrors(OSError)

    def test_queue_that_cannot_be_read(self) -> None:
        """An event that cannot be forgotten is told again, and none is skipped."""
        notifier = self.notifier(backoff=2.0)
        self.hook.answers = [None]
        self.emit(notifier, 1, 2)
        self.pass_time(0.2)
        self.disk.error = sqlite3.OperationalError("database is locked")
        self.hook.requests[0].finish()
        self.pass_time(3)
        self.disk.error = None
        self.pass_time(5)
        self.assertEqual(sorted(set(self.hook.got)), [1, 2])
        self.assertEqual(self.hook.got[-1], 2)
        self.assertEqual(self.stored(), 0)
        self.assertTrue(self.flushLoggedErrors(sqlite3.OperationalError))

    def test_stop_while_the_queue_fails(self) -> None:
        """A stop while it waits for a failing queue is a plain stop."""
        notifier = self.notifier(backoff=60.0)
        self.hook.answers = [None]
        self.emit(notifier, 1)
        self.pass_time(0.2)
        self.disk.error = sqlite3.OperationalError("database is locked")
        self.hook.requests[0].finish()
        self.pass_time(1)
        self.disk.error = None
        self.finish(notifier.stopService())
        self.assertEqual(len(self.flushLoggedErrors(sqlite3.OperationalError)), 1)
        loop = notifier._endpoints[0]._loop
        self.assertIsNone(self.successResultOf(loop))

    def test_damaged_file(self) -> None:
        """A file that is no database is set aside; the process starts and tells."""
        self.directory.mkdir(parents=True)
        path = self.directory / "events.sqlite3"
        path.write_bytes(b"this is no database at all" * 100)
        notifier = self.notifier()
        self.emit(notifier, 1)
        self.pass_time(1)
        self.assertEqual(self.hook.got, [1])
        self.assertTrue(os.path.exists(f"{path}.corrupt"))
