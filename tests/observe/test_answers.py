"""What clients were told of manifests."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.observe.test_access import exchange
from txregistry.interfaces.answers import IAnswers, LastAnswer
from txregistry.interfaces.observe import IExchangeObserver
from txregistry.observe.answers import MAX_BYTES, LastAnswers

URI = "/v2/a/manifests/v1"


class LastAnswerTests(SynchronousTestCase):
    """One for each URI, and no more than fit."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100)
        self.seen = LastAnswers(self.clock)

    def ask(self, uri: str = URI, **changes: object) -> None:
        fields = {"handler": "manifest", "cache_status": "txregistry; hit", **changes}
        self.seen.ended(exchange(uri=uri, **fields))

    def found(self, reference: str = "v1") -> dict[str, LastAnswer]:
        return dict(self.seen.answers(reference))

    def test_interfaces(self) -> None:
        """It is told of requests, and tells of them."""
        verifyObject(IExchangeObserver, self.seen)
        verifyObject(IAnswers, self.seen)

    def test_last(self) -> None:
        """The last one counts, and the one given last comes last."""
        self.ask()
        self.ask(f"{URI}?ns=x.example")
        self.clock.advance(10)
        self.ask(method="HEAD", status=499, cache_status="")
        answers = [*self.seen.answers("v1")]
        self.assertEqual(
            answers,
            [
                (f"{URI}?ns=x.example", LastAnswer(100.0, 200, "txregistry; hit")),
                (URI, LastAnswer(110.0, 499, "")),
            ],
        )
        self.assertEqual(self.found("v9"), {})

    def test_others(self) -> None:
        """Nothing is remembered of pushes, nor of anything but manifests."""
        self.ask(method="PUT")
        self.ask(handler="blob")
        self.assertEqual(self.found(), {})

    def test_bound(self) -> None:
        """The oldest go when there are too many; one that is huge is not kept."""
        for number in range(3000):
            self.ask(f"{URI}?{number:04}")
        found = [*self.found()]
        self.assertEqual(found[-1], f"{URI}?2999")
        self.assertLess(len(found), 3000)
        self.assertGreater(len(found), 1000)
        self.ask(URI + "x" * MAX_BYTES)
        self.assertEqual([*self.found()], found)
