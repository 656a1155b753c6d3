"""What a fill knows, and what it decides."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy.state import (
    CHECKPOINT_BYTES,
    HELD_BACK_BYTES,
    MAX_FAILURES,
    MAX_REFUSED_RANGES,
    FillState,
    has_status,
    is_temporary,
    keeps_partial,
)
from txregistry.spec.errors import (
    BlobUnknown,
    Denied,
    TooManyRequests,
    Unauthorized,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)

SIZE = 10 * HELD_BACK_BYTES
BROKEN = UpstreamFailed({"upstream": "x", "reason": "broke the connection"})
ANSWERED = UpstreamFailed({"upstream": "x", "status": 500})


class ProgressTests(SynchronousTestCase):
    """How far it has come."""

    def test_end_is_held_back(self) -> None:
        """The end of the blob is shown to nobody before it is verified."""
        state = FillState(size=SIZE)
        for written, visible in (
            (0, 0),
            (HELD_BACK_BYTES, HELD_BACK_BYTES),
            (SIZE - HELD_BACK_BYTES, SIZE - HELD_BACK_BYTES),
            (SIZE - 1, SIZE - HELD_BACK_BYTES),
            (SIZE, SIZE - HELD_BACK_BYTES),
        ):
            state.written = written
            self.assertEqual(state.visible, visible, written)
        state.verified = True
        self.assertEqual(state.visible, SIZE)

    def test_unknown_size(self) -> None:
        """Where the end may be anywhere, the last that came is held back."""
        state = FillState(written=3 * HELD_BACK_BYTES)
        self.assertEqual(state.visible, 2 * HELD_BACK_BYTES)
        state.written = HELD_BACK_BYTES - 1
        self.assertEqual(state.visible, 0)

    def test_small_blob(self) -> None:
        """A blob that is no longer than that is shown as a whole."""
        state = FillState(size=10, written=10)
        self.assertEqual(state.visible, 0)
        state.verified = True
        self.assertEqual(state.visible, 10)

    def test_complete(self) -> None:
        """It is complete when the size is known and there."""
        self.assertFalse(FillState(written=5).is_complete)
        self.assertFalse(FillState(size=6, written=5).is_complete)
        self.assertTrue(FillState(size=5, written=5).is_complete)
        self.assertTrue(FillState(size=0).is_complete)

    def test_checkpoint(self) -> None:
        """It is wanted when enough came since the last one."""
        state = FillState(checkpointed=100, written=99 + CHECKPOINT_BYTES)
        self.assertFalse(state.wants_checkpoint)
        state.written += 1
        self.assertTrue(state.wants_checkpoint)


class AgreementTests(SynchronousTestCase):
    """Sizes that an upstream tells."""

    def test_nothing_told(self) -> None:
        """What says nothing contradicts nothing."""
        self.assertTrue(FillState(size=5, expected=5).accepts_size(None))

    def test_told_before(self) -> None:
        """By HEAD or by GET: it has to be the same."""
        for state in (FillState(size=5), FillState(expected=5)):
            self.assertTrue(state.accepts_size(5))
            self.assertFalse(state.accepts_size(6))
        self.assertFalse(FillState(size=5, expected=6).accepts_size(5))
        self.assertTrue(FillState(expected=0).accepts_size(0))
        self.assertFalse(FillState(expected=0).accepts_size(1))

    def test_less_than_is_there(self) -> None:
        """It is no less than what came already."""
        self.assertFalse(FillState(written=6).accepts_size(5))
        self.assertTrue(FillState(written=5).accepts_size(5))


class FailureTests(SynchronousTestCase):
    """Whether to go on."""

    def test_numbers(self) -> None:
        """Failures in a row are counted until there are too many."""
        state = FillState()
        numbers = [state.next_attempt(BROKEN) for _ in range(MAX_FAILURES)]
        self.assertEqual(numbers, [*range(1, MAX_FAILURES), None])

    def test_progress(self) -> None:
        """Enough progress since the last one begins anew; less does not."""
        state = FillState()
        for _ in range(2 * MAX_FAILURES):
            state.written += HELD_BACK_BYTES
            self.assertEqual(state.next_attempt(BROKEN), 1)
        state.written += HELD_BACK_BYTES - 1
        self.assertEqual(state.next_attempt(BROKEN), 2)

    def test_slow_progress_does_not_add_up(self) -> None:
        """Progress counts from one failure to the next."""
        state = FillState()
        numbers = []
        for _ in range(MAX_FAILURES):
            state.written += HELD_BACK_BYTES - 1
            numbers.append(state.next_attempt(BROKEN))
        self.assertIsNone(numbers[-1])

    def test_what_will_stay(self) -> None:
        """An answer that will stay ends it at once."""
        for error in (Denied(), Unauthorized(), BlobUnknown(), ValueError()):
            self.assertIsNone(FillState().next_attempt(error), error)

    def test_refused_parts(self) -> None:
        """After refusals of a part the whole is asked for, until there is progress."""
        state = FillState(written=10)
        self.assertTrue(state.can_resume)
        for _ in range(MAX_REFUSED_RANGES):
            self.assertTrue(state.can_resume)
            state.next_attempt(ANSWERED)
        self.assertFalse(state.can_resume)
        state.written += HELD_BACK_BYTES
        state.next_attempt(BROKEN)
        self.assertTrue(state.can_resume)

    def test_broken_connections_refuse_nothing(self) -> None:
        """Who has not answered may still know parts."""
        state = FillState(written=10)
        for _ in range(MAX_FAILURES):
            state.next_attempt(BROKEN)
        self.assertTrue(state.can_resume)

    def test_nothing_to_resume(self) -> None:
        """Who has nothing asks for the whole."""
        self.assertFalse(FillState().can_resume)


class KindTests(SynchronousTestCase):
    """Which failures pass."""

    def test_passing(self) -> None:
        """Failures of the upstream and rate limits pass."""
        passing = (BROKEN, UpstreamTimeout(), UpstreamUnavailable(), TooManyRequests())
        for error in passing:
            self.assertTrue(is_temporary(error), error)
        for staying in (Denied(), BlobUnknown(), OSError(), KeyboardInterrupt()):
            self.assertFalse(is_temporary(staying), staying)

    def test_answered(self) -> None:
        """An answer has a status."""
        self.assertTrue(has_status(ANSWERED))
        for error in (BROKEN, UpstreamFailed(), UpstreamFailed("status"), OSError()):
            self.assertFalse(has_status(error), error)

    def test_kept(self) -> None:
        """What came is kept if it may go on, and is more than nobody has seen."""
        self.assertTrue(keeps_partial(BROKEN, HELD_BACK_BYTES + 1))
        self.assertFalse(keeps_partial(BROKEN, HELD_BACK_BYTES))
        self.assertFalse(keeps_partial(Denied(), SIZE))
