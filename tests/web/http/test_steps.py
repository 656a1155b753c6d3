"""What one read brings is taken in steps."""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.web.http.steps import MAX_LINES, STEP_BYTES, Steps, has_many_lines


class Network:
    """A connection; remembers what it was told last."""

    def __init__(self) -> None:
        self.paused = self.stopped = False
        self.resumes = 0

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        self.resumes += 1

    def stopProducing(self) -> None:
        self.stopped = True


class TurnClock(Clock):
    """Takes a second for a turn, so that they can be told apart."""

    def callLater(self, delay, what, *args, **kwargs):
        return super().callLater(delay or 1, what, *args, **kwargs)


class LineTests(SynchronousTestCase):
    """What may be many small things."""

    def test_many(self) -> None:
        """A thousand lines are not many; one more is."""
        self.assertFalse(has_many_lines(b"\r\n" * MAX_LINES))
        self.assertTrue(has_many_lines(b"\r\n" * (MAX_LINES + 1)))
        self.assertFalse(has_many_lines(b"x" * 1_000_000))

    def test_usual(self) -> None:
        """By that it is decided, and by length: a step is not looked at."""
        lines = b"\r\n" * (STEP_BYTES // 2)
        steps = Steps(Clock(), Network(), self.fail)
        self.assertEqual(steps.take_now(lines), lines)
        self.assertEqual(steps.take_now(b"x" * 1_000_000), b"x" * 1_000_000)
        self.assertFalse(steps.has_backlog)
        self.assertEqual(len(steps.take_now(lines + b"x")), STEP_BYTES)
        self.assertTrue(steps.has_backlog)


class StepTests(SynchronousTestCase):
    """Ten bytes a turn."""

    def setUp(self) -> None:
        self.clock, self.network = TurnClock(), Network()
        self.taken: list[bytes] = []
        self.steps = Steps(self.clock, self.network, self.take, lambda _: True, 10)

    def take(self, data: bytes) -> None:
        self.taken.append(data)

    def turn(self) -> None:
        """Run one turn, in which something is to be done."""
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(1)

    def assert_idle(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.steps.has_backlog)
        self.assertFalse(self.network.paused)

    def test_provides_the_interface(self) -> None:
        """It is a push producer."""
        verifyObject(IPushProducer, self.steps)

    def test_short(self) -> None:
        """What fits into a step is taken at once."""
        self.assertEqual(self.steps.take_now(b"x" * 10), b"x" * 10)
        self.assert_idle()

    def test_turns(self) -> None:
        """The connection is held while there is any left, which comes in order."""
        self.assertEqual(self.steps.take_now(b"0123456789abcdefghijABC"), b"0123456789")
        self.assertTrue(self.network.paused)
        self.assertEqual(self.taken, [])
        self.turn()
        self.assertEqual(self.taken, [b"abcdefghij"])
        self.assertTrue(self.network.paused)
        self.turn()
        self.assertEqual(self.taken, [b"abcdefghij", b"ABC"])
        self.assert_idle()

    def test_whole_steps(self) -> None:
        """No empty step is taken at the end."""
        self.steps.take_now(b"x" * 20)
        self.turn()
        self.assertEqual(self.taken, [b"x" * 10])
        self.assert_idle()

    def test_added(self) -> None:
        """What comes meanwhile is taken after what is held back."""
        self.steps.take_now(b"x" * 25)
        self.turn()
        self.steps.add(b"y" * 10)
        self.turn()
        self.turn()
        self.assertEqual(self.taken, [b"x" * 10, b"x" * 5 + b"y" * 5, b"y" * 5])
        self.assert_idle()

    def test_put_back(self) -> None:
        """What was taken too early comes before it, also from within a turn."""
        self.steps.take_now(b"x" * 25)
        self.steps._process = lambda _: self.steps.put_back(b"yy")
        self.turn()
        self.steps._process = self.take
        self.turn()
        self.assertEqual(self.taken, [b"yyxxxxx"])
        self.assert_idle()

    def test_put_back_at_the_end(self) -> None:
        """What the last step gives back has a turn as well."""
        self.steps.take_now(b"x" * 15)
        self.steps._process = lambda _: self.steps.put_back(b"yy")
        self.turn()
        self.assertTrue(self.network.paused)
        self.steps._process = self.take
        self.turn()
        self.assertEqual(self.taken, [b"yy"])
        self.assert_idle()

    def test_nothing_put_back(self) -> None:
        """Nothing holds nothing."""
        self.steps.put_back(b"")
        self.assert_idle()

    def test_waiting(self) -> None:
        """Nothing is taken until it may go on, nor does more come."""
        self.steps.take_now(b"x" * 25)
        self.steps.suspend()
        self.steps.add(b"y")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.steps.resumeProducing()
        self.assertTrue(self.network.paused)
        self.steps.resume()
        self.turn()
        self.turn()
        self.assertEqual(b"".join(self.taken), b"x" * 15 + b"y")
        self.assert_idle()

    def test_waiting_from_within(self) -> None:
        """Who takes a step may have the next ones wait."""
        self.steps.take_now(b"x" * 30)
        self.steps._process = lambda _: self.steps.suspend()
        self.turn()
        self.assertTrue(self.steps.has_backlog)
        self.assertTrue(self.network.paused)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_waiting_with_nothing_left(self) -> None:
        """The connection is held all the same, until somebody resumes it."""
        self.steps.suspend()
        self.steps.resumeProducing()
        self.assertEqual(self.network.resumes, 0)
        self.steps.resume()
        self.assert_idle()
        self.steps.resumeProducing()
        self.assertEqual(self.network.resumes, 1)

    def test_held_by_others(self) -> None:
        """Who has paused it decides when more comes, once all was taken."""
        self.steps.take_now(b"x" * 15)
        self.steps.pauseProducing()
        self.turn()
        self.assertEqual((self.taken, self.steps.has_backlog), ([b"x" * 5], False))
        self.assertTrue(self.network.paused)
        self.steps.resumeProducing()
        self.assert_idle()

    def test_held_with_nothing_left(self) -> None:
        """It is passed on at once, and forgotten with what resumes it."""
        self.steps.pauseProducing()
        self.assertTrue(self.network.paused)
        self.steps.resumeProducing()
        self.steps.take_now(b"x" * 15)
        self.turn()
        self.assert_idle()

    def test_resumed_too_early(self) -> None:
        """While some is held back no more comes."""
        self.steps.take_now(b"x" * 15)
        self.steps.resumeProducing()
        self.assertTrue(self.network.paused)
        self.turn()
        self.assert_idle()

    def test_stopped(self) -> None:
        """When the connection has gone all is forgotten."""
        self.steps.take_now(b"x" * 25)
        self.steps.stop()
        self.steps.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.steps.has_backlog)
        self.assertEqual(self.taken, [])

    def test_given_up(self) -> None:
        """To stop is passed on."""
        self.steps.stopProducing()
        self.assertTrue(self.network.stopped)
