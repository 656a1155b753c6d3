"""Who is asked next of an upstream that bears so many connections."""

from __future__ import annotations

from contextvars import copy_context

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IAgent
from zope.interface.verify import verifyObject

from tests.remote.answering import AgentCase, Answer, settle
from txregistry.flow.context import client_share
from txregistry.flow.demand import NOBODY, SOMEBODY, Demand, current_demand
from txregistry.remote import request_slots as module
from txregistry.remote.request_slots import MAX_WAIT, RequestSlots, SlotAgent
from txregistry.spec.errors import UpstreamFailed, UpstreamUnavailable

BLOB = "/v2/a/blobs/sha256:" + "0" * 64


class RequestSlotsTests(SynchronousTestCase):
    """Three slots, of which one is reserved for small requests."""

    limit = 3

    def setUp(self) -> None:
        self.slots = RequestSlots(self.limit)
        self.served: list[str] = []

    def take(self, name: str, *, small: bool = False, again: bool = False) -> Deferred:
        """Acquire a slot; ``served`` has the names of those that got one."""
        waiter = self.slots.acquire(small, again)
        waiter.addCallback(lambda _: self.served.append(name))
        waiter.addErrback(lambda failure: failure.trap(CancelledError))
        return waiter

    def fill(self) -> None:
        """Take all slots that are not reserved."""
        self.take("one")
        self.take("two")
        self.served.clear()

    def test_one_is_kept(self) -> None:
        """Large requests leave one slot to small ones."""
        for name in "abc":
            self.take(name)
        self.assertEqual((self.served, self.slots.waiting), (["a", "b"], 1))
        self.take("small", small=True)
        self.take("second", small=True)
        self.assertEqual(self.served, ["a", "b", "small"])
        self.assertEqual(self.slots.waiting, 2)

    def test_small_may_have_all(self) -> None:
        """Small requests take any slot."""
        for name in "abcd":
            self.take(name, small=True)
        self.assertEqual(self.served, ["a", "b", "c"])

    def test_small_comes_first(self) -> None:
        """Of those who wait."""
        self.fill()
        self.take("kept", small=True)
        self.take("large")
        self.take("small", small=True)
        self.slots.release()
        self.assertEqual(self.served, ["kept", "small"])
        self.slots.release()
        self.slots.release()
        self.assertEqual(self.served, ["kept", "small", "large"])

    def test_order_of_asking(self) -> None:
        """Of one client, in the order of asking; what goes on comes first."""
        self.fill()
        self.take("a")
        self.take("b")
        self.take("part", again=True)
        for _ in range(3):
            self.slots.release()
        self.assertEqual(self.served, ["part", "a", "b"])

    def test_clients_take_turns(self) -> None:
        """Who wants much does not keep others from having their turn."""
        self.fill()
        for name in ("a1", "a2", "a3", "b1"):
            token = client_share.set(name[0])
            self.take(name)
            client_share.reset(token)
        for _ in range(4):
            self.slots.release()
        self.assertEqual(self.served, ["a1", "b1", "a2", "a3"])

    def test_giving_up(self) -> None:
        """Who gives up is passed over, and is counted no more."""
        self.fill()
        waiting = self.take("a")
        self.take("b")
        waiting.cancel()
        self.assertEqual(self.slots.waiting, 1)
        self.slots.release()
        self.assertEqual((self.served, self.slots.waiting), (["b"], 0))


class UnawaitedTests(SynchronousTestCase):
    """Three slots, and requests whose answers nobody waits for."""

    def setUp(self) -> None:
        self.slots = RequestSlots(3)
        self.served: list[str] = []

    def take(self, name: str, demand: Demand = SOMEBODY, small: bool = False) -> None:
        context = copy_context()
        context.run(current_demand.set, demand)
        waiter = context.run(self.slots.acquire, small)
        waiter.addCallback(lambda _: self.served.append(name))

    def test_order(self) -> None:
        """They come after all others of their kind, until somebody waits."""
        demand = Demand()
        for name in "ab":
            self.take(name)
        self.take("kept", small=True)
        self.take("warming", NOBODY)
        self.take("wanted", demand)
        self.take("tag", NOBODY, small=True)
        self.take("c")
        self.take("d", small=True)
        demand.join()
        for _ in range(6):
            self.slots.release()
        # The slot that is kept for small ones takes no large one.
        order = ["a", "b", "kept", "d", "tag", "c", "wanted", "warming"]
        self.assertEqual(self.served, order)


class OnlySlotTests(RequestSlotsTests):
    """A single slot is not reserved."""

    limit = 1

    def fill(self) -> None:
        self.take("one")
        self.served.clear()

    def test_one_is_kept(self) -> None:
        """None is."""
        self.take("large")
        self.take("small", small=True)
        self.assertEqual(self.served, ["large"])
        self.slots.release()
        self.assertEqual(self.served, ["large", "small"])

    def test_small_may_have_all(self) -> None:
        """The one there is."""
        self.take("a", small=True)
        self.take("b", small=True)
        self.assertEqual(self.served, ["a"])

    def test_small_comes_first(self) -> None:
        """Of those who wait."""
        self.fill()
        self.take("large")
        self.take("small", small=True)
        self.slots.release()
        self.assertEqual(self.served, ["small"])


class PlacedTests(AgentCase):
    """Requests in two slots."""

    @staticmethod
    def make(inner, clock):
        return SlotAgent(inner, clock, RequestSlots(2))

    def test_provides(self) -> None:
        """It is an agent."""
        verifyObject(IAgent, self.agent)

    def test_kept_until_the_body_has_ended(self) -> None:
        """A request holds its slot until the body of its response has ended."""
        answer = Answer(length=5)
        self.inner.plan = [answer]
        first = self.successResultOf(self.ask(BLOB))
        second = self.ask(BLOB)
        self.assertEqual(len(self.inner.asked), 1)
        reader = Recording()
        first.deliverBody(reader)
        answer.reader.dataReceived(b"bytes")
        self.assertNoResult(second)
        answer.end()
        self.assertEqual((reader.data, reader.ended), (b"bytes", 1))
        self.assertEqual(len(self.inner.asked), 2)
        settle(self.inner.asked[1].answer, 200)
        self.successResultOf(second)
        self.assert_nothing_is_left()

    def test_failure_gives_it_back(self) -> None:
        """So does whoever leaves before there is an answer."""
        for _ in range(5):
            self.inner.plan = [UpstreamFailed()]
            self.refused(UpstreamFailed, BLOB)
            asked = self.ask(BLOB)
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
        self.assertEqual(self.agent._slots._taken, 0)
        self.assert_nothing_is_left()

    def test_what_is_small(self) -> None:
        """Lists, manifests, tokens and questions without a body wait for no layer."""
        self.ask(BLOB)
        for path, method in (
            ("/v2/a/manifests/v1", "GET"),
            ("/v2/a/tags/list?n=5", "GET"),
            ("/v2/a/referrers/sha256:0", "GET"),
            ("/v2/_catalog", "GET"),
            ("/v2/", "GET"),
            ("https://auth.example/token?client_id=x&scope=y", "GET"),
            ("https://auth.example/token", "POST"),
            (BLOB, "HEAD"),
        ):
            asked = self.ask(path, method)
            self.assertEqual(self.agent._slots.waiting, 0, path)
            asked.cancel()
            self.failureResultOf(asked, CancelledError)

    def test_what_is_large(self) -> None:
        """Blobs are, and whatever a storage gives."""
        self.ask(BLOB)
        for path in (BLOB, "https://storage.example/data?sig=x"):
            asked = self.ask(path)
            self.assertEqual(self.agent._slots.waiting, 1, path)
            asked.cancel()
            self.failureResultOf(asked, CancelledError)

    def test_rest_of_a_blob(self) -> None:
        """Who has begun goes before those who have not."""
        holder = self.ask(BLOB)
        self.ask(BLOB)
        self.ask(BLOB, headers={"Range": "bytes=5-"})
        holder.cancel()
        self.failureResultOf(holder, CancelledError)
        self.assertEqual(self.inner.asked[1].header("Range"), [b"bytes=5-"])

    def test_waiting_for_long(self) -> None:
        """It ends, and the client may come again."""
        self.ask(BLOB)
        waiting = self.ask(BLOB)
        self.clock.advance(MAX_WAIT - 1)
        self.assertNoResult(waiting)
        self.clock.advance(1)
        error = self.failureResultOf(waiting, UpstreamUnavailable).value
        self.assertEqual(error.retry_after, 5)
        facts = {
            "upstream": "upstream.example",
            "reason": "too many requests are waiting",
        }
        self.assertEqual(error.detail, facts)
        self.assertEqual((self.agent._slots.waiting, len(self.inner.asked)), (0, 1))
        self.assert_nothing_is_left()

    def test_too_many(self) -> None:
        """One too many is told so at once."""
        self.patch(module, "MAX_WAITING", 2)
        for _ in range(3):
            self.ask(BLOB)
        self.refused(UpstreamUnavailable, BLOB)
        self.assertEqual(self.agent._slots.waiting, 2)


class Recording(Protocol):
    """Takes a body."""

    data = b""
    ended = 0

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: object = None) -> None:
        self.ended += 1
