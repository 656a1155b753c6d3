"""Agents, each by itself: what it makes of answers and failures of the next one."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectionLost,
    DNSLookupError,
    TCPTimedOutError,
)
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.python.failure import Failure
from twisted.web.client import RequestTransmissionFailed, ResponseFailed
from twisted.web.iweb import IAgent
from zope.interface.verify import verifyObject

from tests.remote.answering import AgentCase, Answer, settle
from txregistry.remote.agents import (
    MAX_INLINE_WAIT_SECONDS,
    IdentityAgent,
    RetryAgent,
    TimedAgent,
)
from txregistry.remote.failures import (
    ConnectTimedOut,
    StorageRefused,
    TargetRefused,
    Unreachable,
)
from txregistry.spec.errors import (
    Denied,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)


class IdentityTests(AgentCase):
    """Who asks, and for which form."""

    @staticmethod
    def make(inner, clock):
        return IdentityAgent(inner, "txregistry/1")

    def test_headers(self) -> None:
        """We say who we are and that we want the bytes as they are."""
        verifyObject(IAgent, self.agent)
        self.inner.plan = [200, 200]
        for headers in (None, {"Accept-Encoding": "gzip", "Range": "bytes=0-"}):
            self.assertEqual(self.status(headers=headers), 200)
            asked = self.inner.asked[-1]
            self.assertEqual(asked.header("User-Agent"), [b"txregistry/1"])
            self.assertEqual(asked.header("Accept-Encoding"), [b"identity"])
        self.assertEqual(asked.header("Range"), [b"bytes=0-"])

    def test_headers_of_the_caller(self) -> None:
        """They stay as they are: he may ask again with them."""
        self.ask(headers={"Range": "bytes=0-"})
        mine = self.inner.asked[0].headers
        mine.removeHeader(b"Range")
        self.agent.request(b"GET", b"https://x/", mine)
        self.assertIsNot(self.inner.asked[1].headers, mine)

    def test_body(self) -> None:
        """It is passed on."""
        body = object()
        self.ask(method="POST", body=body)
        self.assertEqual(self.inner.asked[0].method, b"POST")
        self.assertIs(self.inner.asked[0].body, body)


class Metered:
    """Remembers what is recorded of answers."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str, float]] = []

    def upstream(self, method: str, status: str, seconds: float) -> None:
        self.answers.append((method, status, seconds))


class TimedTests(AgentCase):
    """Time, and what failures are called."""

    @staticmethod
    def make(inner, clock):
        return TimedAgent(inner, clock, 20.0, Metered())

    def setUp(self) -> None:
        super().setUp()
        self.meter = self.agent._meter

    def test_in_time(self) -> None:
        """An answer is given as it is, and recorded with its time."""
        self.clock.advance(100)
        asked = self.ask()
        self.clock.advance(19)
        settle(self.inner.asked[0].answer, 404)
        self.assertEqual(self.successResultOf(asked).code, 404)
        self.assertEqual(self.meter.answers, [("GET", "404", 19.0)])
        self.assert_nothing_is_left()

    def test_too_late(self) -> None:
        """The question is cancelled, and a late one names the upstream."""
        asked = self.ask()
        self.clock.advance(20)
        error = self.failureResultOf(asked, UpstreamTimeout).value
        self.assertNotIsInstance(error, Unreachable)
        self.assertEqual(error.detail, {"upstream": "upstream.example"})
        self.assertEqual(self.inner.cancelled, 1)
        self.assertEqual(self.meter.answers, [("GET", "error", 20.0)])
        self.assert_nothing_is_left()

    def test_late_and_wrapped(self) -> None:
        """Twisted wraps the cancellation: it was the time limit all the same."""
        self.inner.withdrawn = ResponseFailed([Failure(CancelledError())])
        asked = self.ask()
        self.clock.advance(20)
        self.failureResultOf(asked, UpstreamTimeout)

    def test_whoever_leaves(self) -> None:
        """A client that leaves has not found the upstream failing."""
        wrapped = RequestTransmissionFailed([Failure(CancelledError())])
        for error in (None, wrapped):
            self.inner.withdrawn = error
            asked = self.ask()
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
            self.assert_nothing_is_left()

    def test_failures(self) -> None:
        """Broken, not reached, and not reached in time are told apart."""
        lost = Failure(ConnectionLost())
        tls = Failure(SSL.Error([("x", "y", "certificate verify failed")]))
        for error, kind in (
            (ResponseFailed([lost]), UpstreamFailed),
            (RequestTransmissionFailed([lost]), UpstreamFailed),
            (ConnectionLost(), UpstreamFailed),
            (ResponseFailed([tls]), Unreachable),
            (ConnectError(), Unreachable),
            (DNSLookupError(), Unreachable),
            (OSError(), Unreachable),
            (ValueError(), Unreachable),
            (ConnectTimeout(), ConnectTimedOut),
            (TCPTimedOutError(), Unreachable),
        ):
            self.inner.plan = [error]
            found = self.refused(kind)
            self.assertIs(type(found), kind, error)
            self.assertEqual(found.detail["upstream"], "upstream.example")
            self.assertEqual(self.meter.answers[-1][:2], ("GET", "error"))
        self.assert_nothing_is_left()

    def test_own_errors(self) -> None:
        """What those further in have found out already is passed on."""
        for error in (TargetRefused(), UpstreamUnavailable(), ZeroDivisionError()):
            self.inner.plan = [error]
            self.assertIs(self.refused(type(error)), error)


class RetryTests(AgentCase):
    """What is asked again, and when."""

    @staticmethod
    def make(inner, clock):
        return RetryAgent(inner, clock, lambda: 1.0, 3)

    def count(self, *plan: object, method: str = "GET") -> int:
        """Give how often is asked until there is an answer of some kind."""
        self.setUp()
        self.inner.plan = list(plan)
        asked = self.ask(method=method)
        while not asked.called:
            self.clock.advance(0.1)
        asked.addErrback(lambda _: None)
        self.assert_nothing_is_left()
        return len(self.inner.asked)

    def test_until_it_passes(self) -> None:
        """Answers and failures that may pass are asked again, after a while."""
        self.inner.plan = [UpstreamFailed(), 503, 200]
        asked = self.ask()
        self.assertEqual(len(self.inner.asked), 1)
        self.clock.advance(0.2)
        self.assertEqual(len(self.inner.asked), 2)
        self.clock.advance(0.3)
        self.assertNoResult(asked)
        self.clock.advance(0.2)
        self.assertEqual(self.successResultOf(asked).code, 200)
        self.assertEqual(len(set(self.inner.uris)), 1)

    def test_which(self) -> None:
        """Only what may pass is asked for again, three times in all."""
        for status in (502, 503, 504):
            self.assertEqual(self.count(*[status] * 5), 3, status)
        for status in (200, 206, 304, 307, 401, 404, 416, 429, 500, 501):
            self.assertEqual(self.count(*[status] * 5), 1, status)
        for error in (UpstreamFailed, Unreachable, StorageRefused):
            self.assertEqual(self.count(*[error()] * 5), 3, error)
        for error in (
            UpstreamTimeout,
            ConnectTimedOut,
            TargetRefused,
            UpstreamUnavailable,
            Denied,
            CancelledError,
        ):
            self.assertEqual(self.count(*[error()] * 5), 1, error)

    def test_last_answer_is_given(self) -> None:
        """With its body; those of the others are got rid of."""
        answers = [Answer(503) for _ in range(3)]
        self.inner.plan = list(answers)
        asked = self.ask()
        self.clock.pump([0.2, 0.4])
        self.assertIs(self.successResultOf(asked), answers[2])
        read = [answer.reader is not None for answer in answers]
        self.assertEqual(read, [True, True, False])

    def test_last_error_is_told(self) -> None:
        """It is the one of the last attempt."""
        errors = [UpstreamFailed(number) for number in range(3)]
        self.inner.plan = list(errors)
        asked = self.ask()
        self.clock.pump([0.2, 0.4])
        self.assertIs(self.failureResultOf(asked, UpstreamFailed).value, errors[2])

    def test_storage_that_refuses_head(self) -> None:
        """A URL that is signed for GET alone is not asked by HEAD again."""
        plan = [StorageRefused()] * 5
        self.assertEqual(self.count(*plan, method="HEAD"), 1)
        self.assertEqual(self.count(*[503] * 5, method="HEAD"), 3)

    def test_asked_to_wait(self) -> None:
        """A short wait is obeyed, as a rate limit's is."""
        for status in (429, 503):
            self.setUp()
            self.inner.plan = [Answer(status, {"Retry-After": "2"}), 200]
            asked = self.ask()
            self.clock.advance(1.9)
            self.assertNoResult(asked)
            self.clock.advance(0.1)
            self.assertEqual(self.successResultOf(asked).code, 200)

    def test_asked_to_wait_as_long_as_may_be(self) -> None:
        """The most that is obeyed is."""
        header = {"Retry-After": str(int(MAX_INLINE_WAIT_SECONDS))}
        self.inner.plan = [Answer(503, header), 200]
        asked = self.ask()
        self.clock.advance(MAX_INLINE_WAIT_SECONDS)
        self.assertEqual(self.successResultOf(asked).code, 200)

    def test_asked_to_wait_less_than_planned(self) -> None:
        """No less than planned is waited."""
        self.inner.plan = [Answer(503, {"Retry-After": "0"}), 200]
        asked = self.ask()
        self.clock.advance(0.1)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.successResultOf(asked)

    def test_asked_to_wait_for_long(self) -> None:
        """A long wait is the client's to decide on, who gets the answer whole."""
        seconds = str(int(MAX_INLINE_WAIT_SECONDS) + 1)
        answer = Answer(429, {"Retry-After": seconds})
        self.inner.plan = [answer, 200]
        self.assertIs(self.successResultOf(self.ask()), answer)
        self.assertIsNone(answer.reader)
        self.assert_nothing_is_left()

    def test_whoever_leaves(self) -> None:
        """Nothing is asked for him again, whether he waits for an answer or between."""
        self.inner.plan = [503]
        waiting = self.ask()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        asking = self.ask()
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.clock.advance(60)
        self.assertEqual((len(self.inner.asked), self.inner.cancelled), (2, 1))
