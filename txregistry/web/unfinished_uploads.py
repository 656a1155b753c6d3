"""How many uploads are begun and not finished, by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import attrs

from txregistry.spec.errors import TooManyRequests

#: How many are looked at whether they have been purged, for each that begins.
_EXPIRE_BATCH = 16


@attrs.define(eq=False)
class NewUpload:
    """An upload that is about to begin.

    :ivar upload_id: its id, once it has one; one that gets none is not counted.
    """

    upload_id: str = ""


@attrs.define(eq=False)
class UnfinishedUploads:
    """Counts the uploads that this process has begun, until they end.

    Each is a directory of several files, which stays for a week.

    :param per_user: at once, of one user; 0 for no limit.
    :param total: at once; 0 for no limit.
    :param lifetime: seconds after which one that was left alone has been purged.
    """

    _per_user: int = 0
    _total: int = 0
    _lifetime: float = 0.0
    _begun: dict[object, tuple[str, float]] = attrs.field(factory=dict)
    _counts: Counter[str] = attrs.field(factory=Counter)

    @contextmanager
    def count_new(self, user: str, now: float) -> Iterator[NewUpload]:
        """Count an upload while it is created and, if it gets an id, until it ends.

        :raise TooManyRequests: a limit is reached already.
        """
        self._expire(now)
        self._check(user)
        new = NewUpload()
        self._add(new, user, now)
        try:
            yield new
        finally:
            self.forget(new)
            if new.upload_id:
                self._add(new.upload_id, user, now)

    def forget(self, upload_id: object) -> None:
        """Hear that an upload has ended; one that is not known is no matter."""
        found = self._begun.pop(upload_id, None)
        if found is None:
            return
        user, _ = found
        if self._counts[user] > 1:
            self._counts[user] -= 1
        else:
            del self._counts[user]

    def _add(self, upload_id: object, user: str, now: float) -> None:
        self._begun[upload_id] = user, now
        self._counts[user] += 1

    def _check(self, user: str) -> None:
        if self._per_user and self._counts[user] >= self._per_user:
            reason = "you have begun too many uploads that are not finished"
            raise TooManyRequests({"reason": reason, "limit": self._per_user})
        if self._total and len(self._begun) >= self._total:
            reason = "too many uploads have begun that are not finished"
            raise TooManyRequests({"reason": reason, "limit": self._total})

    def _expire(self, now: float) -> None:
        """Forget what has been purged; what began first stands first."""
        for upload_id, (_, began) in list(islice(self._begun.items(), _EXPIRE_BATCH)):
            if not self._lifetime or now - began < self._lifetime:
                return
            self.forget(upload_id)
