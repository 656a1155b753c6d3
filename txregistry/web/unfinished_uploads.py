"""Limits on unfinished uploads, of one user and of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import attrs

from txregistry.spec.errors import TooManyRequests

#: Uploads checked for expiry with each new one.
_EXPIRE_BATCH = 16


@attrs.define(eq=False)
class NewUpload:
    """An upload that is being created.

    :ivar upload_id: set by the caller once it is known; an upload that gets none is not
        counted any longer.
    """

    upload_id: str = ""


@attrs.define(eq=False)
class UploadCounts:
    """The uploads that this process has started, until they end.

    Kept apart from the limits, which a reload changes.
    """

    _begun: dict[object, tuple[str, float]] = attrs.field(factory=dict)
    _counts: Counter[str] = attrs.field(factory=Counter)

    def __len__(self) -> int:
        return len(self._begun)

    def of_user(self, user: str) -> int:
        """Return the number of unfinished uploads of one user."""
        return self._counts[user]

    def add(self, upload_id: object, user: str, now: float) -> None:
        """Count an upload."""
        self._begun[upload_id] = user, now
        self._counts[user] += 1

    def forget(self, upload_id: object) -> None:
        """Stop counting an upload; ignores an unknown one."""
        found = self._begun.pop(upload_id, None)
        if found is None:
            return
        user, _ = found
        if self._counts[user] > 1:
            self._counts[user] -= 1
        else:
            del self._counts[user]

    def expire(self, before: float) -> None:
        """Forget some uploads started before a time; the dict is in that order."""
        for upload_id, (_, began) in list(islice(self._begun.items(), _EXPIRE_BATCH)):
            if began > before:
                return
            self.forget(upload_id)


@attrs.frozen
class UnfinishedUploads:
    """Limits the uploads that this process has started and that have not ended.

    Each is a directory of several files that stays until it is purged, a week by
    default.

    :param per_user: unfinished uploads of one user; 0 for no limit.
    :param total: unfinished uploads of all users; 0 for no limit.
    :param lifetime: seconds after which an abandoned upload has been purged; 0 for
        never.
    """

    _per_user: int = 0
    _total: int = 0
    _lifetime: float = 0.0
    _counts: UploadCounts = attrs.field(factory=UploadCounts)

    @contextmanager
    def count_new(self, user: str, now: float) -> Iterator[NewUpload]:
        """Count an upload while it is created and, if it gets an id, until it ends.

        :raise TooManyRequests: a limit is reached already.
        """
        if self._lifetime:
            self._counts.expire(now - self._lifetime)
        self._check(user)
        new = NewUpload()
        self._counts.add(new, user, now)
        try:
            yield new
        finally:
            self.forget(new)
            if new.upload_id:
                self._counts.add(new.upload_id, user, now)

    def forget(self, upload_id: object) -> None:
        """Stop counting an upload; ignores an unknown one."""
        self._counts.forget(upload_id)

    def _check(self, user: str) -> None:
        if self._per_user and self._counts.of_user(user) >= self._per_user:
            reason = "too many unfinished uploads of this user: finish or cancel some"
            raise TooManyRequests({"reason": reason, "limit": self._per_user})
        if self._total and len(self._counts) >= self._total:
            reason = "too many unfinished uploads of all users: retry later"
            raise TooManyRequests({"reason": reason, "limit": self._total})
