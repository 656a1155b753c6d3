"""The state of a fill, and its decisions (pure)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.spec.errors import RegistryError, UpstreamFailed, UpstreamUnavailable

#: Bytes at the end of a blob that are held back until the digest matches.
HELD_BACK_BYTES = 64 * 1024

#: Bytes written between two checkpoints.
CHECKPOINT_BYTES = 8 * 1024 * 1024

#: Failures in a row, each with less progress than the held-back bytes, that end a fill.
MAX_FAILURES = 5

#: Failed range requests in a row after which the whole is requested.
MAX_REFUSED_RANGES = 2


@attrs.define
class FillState:
    """How far a fill has come.

    :ivar expected: the size that the upstream has claimed before.
    :ivar size: of the whole, once the upstream has sent it.
    :ivar written: readable bytes of the growing file.
    :ivar verified: the blob is complete and its digest matches.
    """

    size: int | None = None
    validator: str | None = None
    written: int = 0
    verified: bool = False
    checkpointed: int = 0
    expected: int | None = None
    _failures: int = 0
    _refused_ranges: int = 0
    _written_at_failure: int = 0

    @property
    def visible(self) -> int:
        """Return the number of bytes that a client may see."""
        if self.verified:
            return self.written
        known = self.written if self.size is None else self.size
        return max(0, min(self.written, known - HELD_BACK_BYTES))

    @property
    def is_complete(self) -> bool:
        """Return whether the blob is complete, as far as the size is known."""
        return self.size is not None and self.written >= self.size

    @property
    def wants_checkpoint(self) -> bool:
        """Return whether a checkpoint is due."""
        return self.written - self.checkpointed >= CHECKPOINT_BYTES

    def accepts_size(self, size: int | None) -> bool:
        """Return whether the size that the upstream claims can be true.

        It must equal earlier claims, and be no less than what is written: an answer of
        another length is not this blob.
        """
        if size is None:
            return True
        if self.expected not in (None, size):
            return False
        return self.size in (None, size) and self.written <= size

    @property
    def can_resume(self) -> bool:
        """Return whether to request the rest, or the whole again.

        An upstream that fails two range requests in a row may not support ranges.
        """
        return bool(self.written) and self._refused_ranges < MAX_REFUSED_RANGES

    def next_attempt(self, error: BaseException) -> int | None:
        """Decide, after a failure, whether to retry.

        :return: which failure in a row this is, from 1 on, or ``None`` to give up.
        """
        if not is_temporary(error):
            return None
        if self.written - self._written_at_failure >= HELD_BACK_BYTES:
            self._failures = self._refused_ranges = 0
        self._written_at_failure = self.written
        self._failures += 1
        self._refused_ranges += has_status(error)
        return self._failures if self._failures < MAX_FAILURES else None


def has_status(error: BaseException) -> bool:
    """Return whether the error is an answer, so the upstream is reachable."""
    facts = getattr(error, "detail", None)
    return isinstance(facts, Mapping) and "status" in facts


def is_temporary(error: BaseException) -> bool:
    """Return whether an error is a temporary failure, not a lasting answer."""
    if isinstance(error, UpstreamFailed | UpstreamUnavailable):
        return True
    return isinstance(error, RegistryError) and error.status == 429


def keeps_partial(error: BaseException, written: int) -> bool:
    """Decide whether what was fetched so far is worth keeping for a later try."""
    return is_temporary(error) and written > HELD_BACK_BYTES
