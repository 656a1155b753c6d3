"""What is left alone for a while, and what decides about it."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.web.iweb import IAgent
from zope.interface.verify import verifyObject

from tests.remote.answering import HOME, AgentCase, Answer, settle
from txregistry.remote.breakers import ATTEMPTS, OriginBreaker, PathBreaker
from txregistry.remote.failures import Unreachable
from txregistry.spec.errors import (
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)

PATH = "/v2/a/manifests/v1"
OTHER = "https://storage.example/x"


class PathTests(AgentCase):
    """A path that keeps answering by 5xx."""

    @staticmethod
    def make(inner, clock):
        return PathBreaker(inner, clock)

    def fail(self, times: int, status: int = 500, path: str = PATH) -> None:
        for _ in range(times):
            self.inner.plan = [status]
            self.assertEqual(self.status(path), status)

    def test_provides(self) -> None:
        """It is an agent."""
        verifyObject(IAgent, self.agent)

    def test_opens(self) -> None:
        """After five of them in a row it is not asked, and the client is told."""
        self.fail(5)
        error = self.refused(UpstreamUnavailable)
        self.assertEqual(error.retry_after, 5)
        facts = {
            "upstream": "upstream.example",
            "reason": "failed repeatedly",
            "path": PATH,
        }
        self.assertEqual(error.detail, facts)
        self.assertEqual(len(self.inner.asked), 5)

    def test_in_a_row(self) -> None:
        """Any other answer in between begins anew."""
        for status in (200, 401, 404, 429, 501):
            self.setUp()
            self.fail(4)
            self.inner.plan = [status]
            self.status()
            self.fail(5, 503)
            self.refused(UpstreamUnavailable)

    def test_other_paths(self) -> None:
        """They are asked; what stands after a question mark is no path."""
        self.fail(5)
        self.inner.plan = [200]
        self.assertEqual(self.status("/v2/b/manifests/v1"), 200)
        self.refused(UpstreamUnavailable, f"{PATH}?ns=docker.io")

    def test_closes(self) -> None:
        """One question is let through after a while; its answer decides."""
        self.fail(5)
        self.clock.advance(5)
        probe = self.ask()
        self.refused(UpstreamUnavailable)
        settle(self.inner.asked[-1].answer, 200)
        self.successResultOf(probe)
        self.fail(4)

    def test_stays_open(self) -> None:
        """If it fails as well, the wait is doubled."""
        self.fail(5)
        self.clock.advance(5)
        self.fail(1)
        self.assertEqual(self.refused(UpstreamUnavailable).retry_after, 10)
        self.clock.advance(9)
        self.refused(UpstreamUnavailable)
        self.clock.advance(1)
        self.fail(1)

    def test_probe_that_is_withdrawn(self) -> None:
        """It keeps nobody else from being the probe."""
        self.fail(5)
        self.clock.advance(5)
        probe = self.ask()
        probe.cancel()
        self.failureResultOf(probe, CancelledError)
        self.fail(1)

    def test_failures_without_an_answer(self) -> None:
        """They say nothing of the path."""
        self.inner.plan = [UpstreamFailed() for _ in range(9)]
        for _ in range(9):
            self.refused(UpstreamFailed)
        self.fail(4)

    def test_head(self) -> None:
        """It says nothing of GET, and is always asked."""
        self.inner.plan = [500] * 9
        for _ in range(9):
            self.assertEqual(self.status(method="HEAD"), 500)
        self.fail(5)
        self.inner.plan = [200]
        self.assertEqual(self.status(method="HEAD"), 200)
        self.refused(UpstreamUnavailable)


class HomeTests(AgentCase):
    """The upstream's own origin: we find out ourselves whether it is there."""

    @staticmethod
    def make(inner, clock):
        return OriginBreaker(inner, clock, HOME)

    def fail(self, times: int, kind: type[Exception] = UpstreamFailed) -> None:
        for _ in range(times):
            self.inner.plan = [kind()]
            self.refused(kind)

    def open(self) -> None:
        """Have it left alone."""
        self.fail(5 * ATTEMPTS)
        self.inner.plan = [Unreachable()]
        self.refused(UpstreamUnavailable)
        self.assertEqual(self.inner.uris[-1], f"{HOME}/v2/")

    def test_probe_decides(self) -> None:
        """After many failures we ask for the base, and any answer means it is there."""
        for status in (200, 401, 404, 500, 503):
            self.setUp()
            self.fail(5 * ATTEMPTS)
            self.inner.plan = [status, 200]
            self.assertEqual(self.status(), 200)
            self.assertEqual(self.inner.uris[-2:], [f"{HOME}/v2/", HOME + PATH])

    def test_failure_after_a_probe(self) -> None:
        """Failures before the probe count no more."""
        self.fail(5 * ATTEMPTS)
        self.inner.plan = [200, UpstreamFailed()]
        self.refused(UpstreamFailed)
        self.fail(1)
        self.assertEqual(self.inner.uris.count(f"{HOME}/v2/"), 1)

    def test_fewer_failures(self) -> None:
        """They ask for no probe."""
        self.fail(5 * ATTEMPTS - 1)
        self.inner.plan = [200]
        self.assertEqual(self.status(), 200)
        self.assertNotIn(f"{HOME}/v2/", self.inner.uris)

    def test_silence_weighs_more(self) -> None:
        """What hangs is not asked again by those outside, so it counts for them."""
        self.fail(5, UpstreamTimeout)
        self.inner.plan = [Unreachable()]
        self.refused(UpstreamUnavailable)

    def test_left_alone(self) -> None:
        """Nothing is asked while it is open, and clients are told for how long."""
        self.open()
        count = len(self.inner.asked)
        error = self.refused(UpstreamUnavailable)
        self.assertEqual(error.detail, {"upstream": "upstream.example", **FAILING})
        self.assertEqual(error.retry_after, 5)
        self.clock.advance(4)
        self.refused(UpstreamUnavailable)
        self.assertEqual(len(self.inner.asked), count)

    def test_closes(self) -> None:
        """One probe is let through after a while; all who ask meanwhile are told no."""
        self.open()
        self.clock.advance(5)
        first = self.ask()
        self.refused(UpstreamUnavailable)
        answer = Answer(401)
        settle(self.inner.asked[-1].answer, answer)
        self.assertEqual(self.inner.uris[-2:], [f"{HOME}/v2/", HOME + PATH])
        settle(self.inner.asked[-1].answer, 200)
        self.assertEqual(self.successResultOf(first).code, 200)
        self.assertIsNotNone(answer.reader)
        self.inner.plan = [200]
        self.assertEqual(self.status(), 200)

    def test_probe_fails_again(self) -> None:
        """The wait is doubled."""
        self.open()
        self.clock.advance(5)
        self.inner.plan = [UpstreamTimeout()]
        self.assertEqual(self.refused(UpstreamUnavailable).retry_after, 10)

    def test_probe_is_shared(self) -> None:
        """All who ask before it opens wait for the same probe."""
        self.fail(5 * ATTEMPTS)
        asked = [self.ask() for _ in range(3)]
        self.assertEqual(self.inner.uris.count(f"{HOME}/v2/"), 1)
        settle(self.inner.asked[-1].answer, 200)
        for question in self.inner.asked[-3:]:
            settle(question.answer, 404)
        self.assertEqual([self.successResultOf(one).code for one in asked], [404] * 3)

    def test_probe_that_is_withdrawn(self) -> None:
        """It keeps nobody from probing next."""
        self.open()
        self.clock.advance(5)
        asked = self.ask()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.inner.plan = [200, 200]
        self.assertEqual(self.status(), 200)

    def test_answers_and_other_errors(self) -> None:
        """An answer begins anew; what is no failure of the upstream does not count."""
        for outcome in (500, UpstreamUnavailable(), ZeroDivisionError()):
            self.setUp()
            self.fail(5 * ATTEMPTS - 1)
            self.inner.plan = [outcome]
            self.ask().addErrback(lambda _: None)
            if outcome == 500:
                self.fail(5 * ATTEMPTS - 1)
            self.inner.plan = [200]
            self.assertEqual(self.status(), 200)
            self.assertNotIn(f"{HOME}/v2/", self.inner.uris)

    def test_others_decide_nothing(self) -> None:
        """A storage that is away says nothing of the upstream."""
        self.inner.plan = [Unreachable() for _ in range(5 * ATTEMPTS)]
        while self.inner.plan:
            self.ask(OTHER).addErrback(lambda _: None)
            self.clock.advance(100)
        self.inner.plan = [200]
        self.assertEqual(self.status(), 200)


FAILING = {"reason": "failed repeatedly"}


class OtherTests(AgentCase):
    """Where the upstream sends us."""

    @staticmethod
    def make(inner, clock):
        return OriginBreaker(inner, clock, HOME)

    def fail(self, times: int, kind: type[Exception]) -> None:
        for _ in range(times):
            self.inner.plan = [kind()]
            self.refused(kind, OTHER)

    def test_unreachable(self) -> None:
        """After five times it is left alone; others are not."""
        self.fail(5, Unreachable)
        error = self.refused(UpstreamUnavailable, OTHER)
        self.assertEqual(error.detail, {"upstream": "storage.example", **FAILING})
        self.inner.plan = [200, 200]
        self.assertEqual(self.status("https://storage.example:8443/"), 200)
        self.assertEqual(self.status(), 200)

    def test_closes(self) -> None:
        """One question is let through after a while."""
        self.fail(5, Unreachable)
        self.clock.advance(5)
        first = self.ask(OTHER)
        self.refused(UpstreamUnavailable, OTHER)
        settle(self.inner.asked[-1].answer, 503)
        self.assertEqual(self.successResultOf(first).code, 503)
        self.inner.plan = [200]
        self.assertEqual(self.status(OTHER), 200)

    def test_slow_or_broken(self) -> None:
        """That is the affair of one path."""
        self.fail(9, UpstreamTimeout)
        self.fail(9, UpstreamFailed)
        self.inner.plan = [200]
        self.assertEqual(self.status(OTHER), 200)

    def test_probe_that_is_withdrawn(self) -> None:
        """It keeps nobody else from being the probe."""
        self.fail(5, Unreachable)
        self.clock.advance(5)
        asked = self.ask(OTHER)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.inner.plan = [200]
        self.assertEqual(self.status(OTHER), 200)
