"""What a fill knows, and what it decides (pure)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.spec.errors import RegistryError, UpstreamFailed, UpstreamUnavailable

#: This much of the end of a blob is shown to nobody before the digest agrees.
HELD_BACK_BYTES = 64 * 1024

#: The state beside the data is renewed when this much was written since.
CHECKPOINT_BYTES = 8 * 1024 * 1024

#: Failures in a row, without at least a held-back chunk of progress, that end a fill.
MAX_FAILURES = 5

#: Answers in a row to a question for a part, each a failure, after which the whole is
#: asked for.
MAX_REFUSED_PARTS = 2


@attrs.define
class FillState:
    """How far a fill has come.

    :ivar expected: the size that the upstream has told before, to HEAD.
    :ivar size: of the whole, as soon as the upstream has told.
    :ivar written: bytes that can be read from the growing file.
    :ivar verified: the whole is there and its digest agrees.
    """

    size: int | None = None
    validator: str | None = None
    written: int = 0
    verified: bool = False
    checkpointed: int = 0
    expected: int | None = None
    _failures: int = 0
    _answers: int = 0
    _written_at_failure: int = 0

    @property
    def visible(self) -> int:
        """Count the bytes that a client may see."""
        if self.verified:
            return self.written
        known = self.written if self.size is None else self.size
        return max(0, min(self.written, known - HELD_BACK_BYTES))

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing is missing, as far as the size is known."""
        return self.size is not None and self.written >= self.size

    @property
    def wants_checkpoint(self) -> bool:
        """Tell whether a crash now would cost more than it may."""
        return self.written - self.checkpointed >= CHECKPOINT_BYTES

    def agrees_with(self, size: int | None) -> bool:
        """Tell whether what the upstream says of the size can be true.

        It is what it was, and no less than what is there: an answer of another length
        is not about this blob.
        """
        if size is None:
            return True
        if self.expected not in (None, size):
            return False
        return self.size in (None, size) and self.written <= size

    @property
    def resumes(self) -> bool:
        """Tell whether to ask for the rest, or for the whole once more.

        An upstream that answers twice in a row with a failure, when asked for a part,
        may be one that knows no parts.
        """
        return bool(self.written) and self._answers < MAX_REFUSED_PARTS

    def next_attempt(self, error: BaseException) -> int | None:
        """Decide, after a failure, whether to go on.

        :return: which failure in a row this is, from 1 on, or ``None`` to give up.
        """
        if not is_passing(error):
            return None
        if self.written - self._written_at_failure >= HELD_BACK_BYTES:
            self._failures = self._answers = 0
        self._written_at_failure = self.written
        self._failures += 1
        self._answers += is_answered(error)
        return self._failures if self._failures < MAX_FAILURES else None


def is_answered(error: BaseException) -> bool:
    """Tell whether the upstream has answered, so that it can be reached."""
    facts = getattr(error, "detail", None)
    return isinstance(facts, Mapping) and "status" in facts


def is_passing(error: BaseException) -> bool:
    """Tell a failure that may pass from an answer that will stay."""
    if isinstance(error, UpstreamFailed | UpstreamUnavailable):
        return True
    return isinstance(error, RegistryError) and error.status == 429


def keeps_partial(error: BaseException, written: int) -> bool:
    """Decide whether what was fetched so far is worth keeping for a later try."""
    return is_passing(error) and written > HELD_BACK_BYTES
