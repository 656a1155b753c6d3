"""Actions under way and ended."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.audit import Requester
from txregistry.interfaces.commands import CommandRefused
from txregistry.spec.errors import NotFound, TooManyRequests
from txregistry.web.console import jobs as module
from txregistry.web.console.jobs import Job, Jobs

ANN = Requester("ann", "::1")


class Doing:
    """A command that ends when it is told to."""

    def __init__(self, result: Deferred[Any] | None = None) -> None:
        self.result, self.tell = result, lambda _: None

    def run(self, who: Requester, options: Any, tell: Any) -> Deferred[Any]:
        self.tell = tell
        if self.result is None:
            self.result = Deferred()
        return self.result


class JobsTests(SynchronousTestCase):
    """What is begun by one request, and seen by others."""

    def setUp(self) -> None:
        self.clock, self.doing = Clock(), Doing()
        self.commands: dict[str, Any] = {"do": self.doing}
        self.jobs = Jobs(self.commands, self.clock)
        self.jobs.startService()

    def start(self, action: str = "do") -> Job:
        return self.jobs.start(action, {"a": 1}, ANN)

    def test_to_its_end(self) -> None:
        """Progress of each part, then a report."""
        job = self.start()
        for state in ("waiting", "here"):
            self.doing.tell({"digest": "x", "state": state})
        self.doing.tell({"stage": "mark", "done": 3})
        values = job.as_values()
        self.assertEqual(
            values["progress"],
            [{"digest": "x", "state": "here"}, {"stage": "mark", "done": 3}],
        )
        self.assertEqual((values["state"], values["who"]), ("running", "ann (::1)"))
        self.clock.advance(5)
        self.doing.result.callback({"count": 2})
        job = self.jobs.job(1)
        self.assertEqual((job.state, job.report), ("done", {"count": 2}))
        self.assertEqual((job.began_at, job.ended_at), (0.0, 5.0))

    def test_failures(self) -> None:
        """What was refused is said; what went wrong is logged as well."""
        self.commands["refused"] = Doing(fail(CommandRefused("not now")))
        self.commands["broken"] = Doing(fail(OSError(5, "gone")))
        self.commands["at once"] = Doing(succeed({}))
        for action, state, error in (
            ("refused", "failed", "not now"),
            ("broken", "failed", "[Errno 5] gone"),
            ("at once", "done", ""),
        ):
            job = self.start(action)
            self.assertEqual((job.state, job.error), (state, error))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertRaises(NotFound, self.start, "odd")

    def test_stop(self) -> None:
        """By somebody, or by the end of the daemon."""
        self.start()
        self.assertEqual(self.jobs.stop(1).state, "stopped")
        self.assertEqual(self.jobs.stop(1).state, "stopped")
        self.doing.result = None
        job = self.start()
        self.jobs.stopService()
        self.assertEqual(job.state, "stopped")
        self.assertRaises(NotFound, self.jobs.stop, 9)

    def test_bounds(self) -> None:
        """A few at once, some that have ended, and of each some parts."""
        self.patch(module, "MAX_ENDED", 3)
        self.commands["at once"] = Doing(succeed({}))
        for _ in range(10):
            self.start("at once")
        self.assertEqual([job.number for job in self.jobs.jobs()], [10, 9, 8])
        self.assertRaises(NotFound, self.jobs.job, 7)
        for number in range(module.MAX_RUNNING):
            self.commands[str(number)] = Doing()
            job = self.start(str(number))
        with self.assertRaises(TooManyRequests) as caught:
            self.start()
        self.assertEqual(caught.exception.headers["Retry-After"], "5")
        for number in range(module.MAX_PARTS + 5):
            job.tell({"digest": str(number)})
        self.assertEqual(len(job.progress), module.MAX_PARTS)
        self.assertNotIn("0", job.progress)
