"""One endpoint, which takes events or not."""

from __future__ import annotations

import attrs
from twisted.internet import error

from tests.notifications.test_notifier import NotifierCase, event


class FailureTests(NotifierCase):
    """Endpoints that do not take what they get."""

    def test_tried_again(self) -> None:
        """What was refused comes again, and what follows it waits."""
        notifier = self.notifier()
        self.hook.answers = [400, 503, 404, 200]
        self.emit(notifier, 1, 2)
        self.pass_time(5)
        self.assertEqual(self.hook.got, [1, 1, 1, 1, 2])
        self.assertEqual(len(set(self.hook.ids[:4])), 1)

    def test_backoff(self) -> None:
        """From the threshold on it waits the backoff before each further try."""
        notifier = self.notifier(threshold=3, backoff=20.0)
        self.hook.default = 500
        self.emit(notifier, 1)
        self.pass_time(70)
        waits = [
            later - sooner
            for sooner, later in zip(self.hook.times, self.hook.times[1:], strict=False)
        ]
        self.assertEqual(len(self.hook.times), 6)
        self.assertTrue(all(wait < 5 for wait in waits[:2]), waits)
        self.assertTrue(all(20 <= wait < 21 for wait in waits[2:]), waits)

    def test_never_given_up(self) -> None:
        """However long it takes, the event is kept and told in the end."""
        notifier = self.notifier(threshold=1, backoff=60.0)
        self.hook.default = 500
        self.emit(notifier, 1)
        self.pass_time(1000, 0.25)
        self.assertEqual(self.stored(), 1)
        self.assertGreater(len(self.hook.got), 10)
        self.hook.default = 200
        self.pass_time(120, 0.25)
        self.assertEqual(self.stored(), 0)

    def test_success_closes_the_breaker(self) -> None:
        """After one success failures are counted anew."""
        notifier = self.notifier(threshold=2, backoff=30.0)
        self.hook.answers = [500, 500, 200, 500, 200]
        self.emit(notifier, 1, 2)
        self.pass_time(40)
        self.assertEqual(self.hook.got, [1, 1, 1, 2, 2])
        self.assertLess(self.hook.times[4] - self.hook.times[3], 5)

    def test_other_settings(self) -> None:
        """What waits goes to another URL with other headers, at the next try."""
        notifier = self.notifier()
        self.hook.default = 500
        notifier.emit(event=event(1))
        self.pass_time(1)
        (before,) = (endpoint.settings for endpoint in notifier._endpoints)
        changed = attrs.evolve(
            before, url=f"{before.url}/other", headers={"X-Who": ["me"]}
        )
        notifier.renew([changed], False, 1)
        self.hook.default = 200
        self.pass_time(2)
        request = self.hook.requests[-1]
        self.assertEqual(request.uri, b"/hook/other")
        self.assertEqual(request.getHeader("X-Who"), "me")

    def test_timeout(self) -> None:
        """Whoever does not answer in time is asked again."""
        notifier = self.notifier(timeout=2.0)
        self.hook.answers = [None]
        self.emit(notifier, 1)
        self.pass_time(1.5)
        self.assertEqual(self.hook.got, [1])
        self.pass_time(3)
        self.assertEqual(self.hook.got, [1, 1])
        self.assertEqual(self.metrics(notifier)["Errors"], 1)

    def test_timed_out_connections_are_closed(self) -> None:
        """Nothing is left of a try that took too long; one that was answered with a
        status, and never with a body, is enough."""
        for hanging, tries in ((None, 6), (..., 1)):
            name = "silent" if hanging is None else "half"
            notifier = self.notifier(name, timeout=1.0, threshold=100)
            self.listeners[name].default = hanging
            self.emit(notifier, 1)
            self.pass_time(20)
            self.assertGreaterEqual(len(self.listeners[name].got), tries)
            self.assertLessEqual(self.wires[name].open_connections, 1, hanging)
            self.finish(notifier.stopService())

    def test_refused_connection(self) -> None:
        """An endpoint that is not there is tried again."""
        notifier = self.notifier()
        self.wires["hook"].refused = error.ConnectionRefusedError()
        self.emit(notifier, 1)
        self.pass_time(2)
        self.assertGreaterEqual(self.metrics(notifier)["Errors"], 2)
        self.wires["hook"].refused = None
        self.pass_time(12)
        self.assertEqual(self.hook.got, [1])

    def test_closed_connection(self) -> None:
        """A connection that is cut is an error, and the event comes again."""
        notifier = self.notifier(timeout=5.0)
        self.hook.answers = [None]
        self.emit(notifier, 1)
        self.pass_time(0.5)
        self.hook.requests[0].transport.abortConnection()
        self.pass_time(2)
        self.assertEqual(self.hook.got, [1, 1])
