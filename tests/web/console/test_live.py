"""Pages that are kept up to date."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher

from tests.web.console.cases import ByName, LiveCase
from tests.web.raw import Line
from txregistry.spec.errors import NotFound
from txregistry.web.console import live


def raise_not_found() -> NoReturn:
    raise NotFound({"job": 2})


class LiveTests(LiveCase):
    """Server-sent events."""

    def test_both_are_told(self) -> None:
        """The API gives values, a page its changed part."""
        values, pages = self.listen("/api/v1/live"), self.listen("/live")
        self.evolve(offline=True)
        self.house.clock.advance(live.EVERY_SECONDS)
        self.house.pump()
        found = [event["cache"]["offline"] for event in self.events(values)]
        self.assertEqual(found, [False, True])
        found = ["no upstream" in event["html"] for event in self.events(pages)]
        self.assertEqual(found, [False, True])

    def test_nobody_looks(self) -> None:
        """Then nothing is looked at, and no timer runs."""
        before = len(self.house.clock.getDelayedCalls())
        lines = [self.listen("/live") for _ in range(3)]
        for line in lines:
            line.hang_up()
        self.house.clock.advance(0)
        self.assertEqual(len(self.house.clock.getDelayedCalls()), before)
        self.assertEqual(self.site.active, set())

    def test_who_does_not_read(self) -> None:
        """They are told nothing, so that nothing piles up for them."""
        line = self.listen("/api/v1/live")
        (request,) = self.site.active
        request.channel.pauseProducing()
        for _ in range(5):
            self.house.clock.advance(live.EVERY_SECONDS)
            self.house.pump()
        self.assertEqual(len(self.events(line)), 1)
        request.channel.resumeProducing()
        self.house.clock.advance(live.EVERY_SECONDS)
        self.house.pump()
        self.assertEqual(len(self.events(line)), 2)

    def test_a_drain(self) -> None:
        """An open page does not keep the daemon from stopping."""
        line = self.listen("/live")
        done = self.site.drain(60)
        self.assertNoResult(done)
        self.house.clock.advance(live.EVERY_SECONDS)
        self.house.pump()
        self.successResultOf(done)
        self.assertTrue(line.closed)

    def test_a_reload(self) -> None:
        """Who may not come in any more is told nothing more."""
        lines = [self.listen("/live"), self.listen("/api/v1/live")]
        self.receive(ByName())
        self.house.pump()
        self.assertEqual(self.site.active, set())
        self.assertTrue(all(b"0\r\n\r\n" in line.received for line in lines))
        self.assertEqual(self.visit("/live").status, 401)

    def test_too_many(self) -> None:
        """Further ones are refused, and may come back."""
        self.patch(live, "MAX_LISTENERS", 1)
        self.listen("/live")
        got = self.visit("/live")
        self.assertEqual((got.status, got.header("Retry-After")), (429, "10"))

    def test_a_look_that_hangs(self) -> None:
        """It is waited for, and nothing else waits for it, nor a stop."""
        hanging: list[Deferred[Any]] = []

        def look() -> Deferred[Any]:
            hanging.append(Deferred())
            return hanging[-1]

        self.patch(self, "look_for_problems", look)
        lines = [self.listen("/live"), self.listen("/actions/live")]
        self.wait(3)
        self.assertEqual(len(hanging), 1)
        self.submit("/actions", action="collect")
        self.wait()
        found = [len(self.events(line)) for line in lines]
        self.assertEqual(found, [0, 2])
        done = self.site.drain(60)
        self.wait()
        self.successResultOf(done)
        hanging[0].callback({})

    def test_a_look_that_takes_long(self) -> None:
        """It has a share of the time, and no more; but it is not put off for ever."""

        def look() -> Deferred[Any]:
            looked_at.append(self.house.clock.seconds())
            return deferLater(self.house.clock, self.took, lambda: self.problems)

        for self.took, rest, step in ((0.02, 5.0, 0.01), (5.0, live.MAX_REST, 0.1)):
            looked_at: list[float] = []
            self.patch(self, "look_for_problems", look)
            line = self.listen("/live")
            for _ in range(2000):
                self.house.clock.advance(step)
                self.house.pump()
            waits = [b - a for a, b in pairwise(looked_at)]
            self.assertTrue(waits)
            for wait in waits:
                self.assertLess(abs(wait - rest), live.EVERY_SECONDS + 0.2)
            line.hang_up()

    def test_one_of_many(self) -> None:
        """Nobody takes the places of all others."""
        self.patch(live, "MAX_OF_ONE", 2)
        self.receive(ByName())

        def listen(who: str) -> Line:
            line = Line(self.house, self.wire)
            lines = (
                "GET /live HTTP/1.1",
                "Host: admin.example",
                f"Authorization: {who}",
            )
            line.send("\r\n".join((*lines, "", "")).encode())
            return line

        lines = [listen(who) for who in ("ann", "ann", "ann", "bob")]
        statuses = [line.received.split(b" ")[1] for line in lines]
        self.assertEqual(statuses, [b"200", b"200", b"429", b"200"])

    def test_many_topics(self) -> None:
        """Each has a cost, so that they are counted as well."""
        self.patch(live, "MAX_TOPICS", 2)
        for text in "ab":
            self.listen(f"/activity/live?text={text}")
        self.listen("/activity/live?text=a")
        self.assertEqual(self.visit("/activity/live?text=c").status, 429)

    def test_the_last_event(self) -> None:
        """The answer ends with it, or when there is nothing any more."""
        self.submit("/actions", action="collect")
        lines = [self.listen("/jobs/1/live")]
        self.wait()
        self.sources.commands["collect"].end()
        self.wait()
        self.submit("/actions", action="collect")
        lines.append(self.listen("/jobs/2/live"))
        self.wait()
        jobs = self.site.services.services[0]
        self.patch(type(jobs), "job", lambda *_: raise_not_found())
        self.house.clock.advance(60)
        self.wait()
        for line in lines:
            self.assertTrue(line.received.endswith(b"0\r\n\r\n"))
        self.assertEqual(self.site.active, set())

    def test_a_failure(self) -> None:
        """It is logged, once for each time, and the next look is told."""
        line = self.listen("/api/v1/live")
        warned: list[Any] = []
        globalLogPublisher.addObserver(warned.append)
        self.addCleanup(globalLogPublisher.removeObserver, warned.append)
        glance = self.glance.overview
        for _ in range(2):
            self.glance.overview = None
            self.wait(5)
            self.glance.overview = glance
            self.wait()
        self.assertEqual(len(self.events(line)), 3)
        texts = [event for event in warned if "nothing to tell" in event["log_format"]]
        self.assertEqual(len(texts), 2)
