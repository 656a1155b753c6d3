"""Pages that are kept up to date."""

from __future__ import annotations

import json
from typing import Any

from tests.web.console.cases import ByName, ConsoleCase
from tests.web.raw import Line
from txregistry.web.console import live


class LiveTests(ConsoleCase):
    """Server-sent events."""

    def listen(self, path: str) -> Line:
        line = Line(self.house, self.wire)
        line.send(f"GET {path} HTTP/1.1\r\nHost: admin.example\r\n\r\n".encode())
        return line

    def events(self, line: Line) -> list[Any]:
        """Read what has come; chunks are not taken apart, as their sizes are short."""
        head, _, body = line.received.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Type: text/event-stream", head)
        lines = body.decode().split("\n")
        told = [text for text in lines if text.startswith("data: ")]
        return [json.loads(text.removeprefix("data: ")) for text in told]

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

    def test_a_failure(self) -> None:
        """It is logged, and the next look is told."""
        line = self.listen("/api/v1/live")
        glance, self.glance.overview = self.glance.overview, None
        self.house.clock.advance(live.EVERY_SECONDS)
        self.glance.overview = glance
        self.house.clock.advance(live.EVERY_SECONDS)
        self.house.pump()
        self.assertEqual(len(self.events(line)), 2)
