"""How many uploads are begun and not finished, by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import attrs

from txregistry.spec.errors import TooManyRequests

#: How many are looked at whether they have been purged, for each that begins.
_PER_LOOK = 16


@attrs.define(eq=False)
class Beginning:
    """An upload that is about to begin.

    :ivar name: its id, once it has one; one that gets none is not counted.
    """

    name: str = ""


@attrs.define(eq=False)
class Unfinished:
    """Counts the uploads that this process has begun, until they end.

    Each is a directory of several files, which stays for a week.

    :param of_one: at once, of one user; 0 for no limit.
    :param of_all: at once; 0 for no limit.
    :param lifetime: seconds after which one that was left alone has been purged.
    """

    _of_one: int = 0
    _of_all: int = 0
    _lifetime: float = 0.0
    _begun: dict[object, tuple[str, float]] = attrs.field(factory=dict)
    _counts: Counter[str] = attrs.field(factory=Counter)

    @contextmanager
    def beginning(self, user: str, now: float) -> Iterator[Beginning]:
        """Count one while it begins and, if it gets a name, from then on.

        :raise TooManyRequests: there are too many already.
        """
        self._expire(now)
        self._check(user)
        beginning = Beginning()
        self._add(beginning, user, now)
        try:
            yield beginning
        finally:
            self.ended(beginning)
            if beginning.name:
                self._add(beginning.name, user, now)

    def ended(self, name: object) -> None:
        """Hear that an upload has ended; one that is not known is no matter."""
        found = self._begun.pop(name, None)
        if found is None:
            return
        user, _ = found
        if self._counts[user] > 1:
            self._counts[user] -= 1
        else:
            del self._counts[user]

    def _add(self, name: object, user: str, now: float) -> None:
        self._begun[name] = user, now
        self._counts[user] += 1

    def _check(self, user: str) -> None:
        if self._of_one and self._counts[user] >= self._of_one:
            reason = "you have begun too many uploads that are not finished"
            raise TooManyRequests({"reason": reason, "limit": self._of_one})
        if self._of_all and len(self._begun) >= self._of_all:
            reason = "too many uploads have begun that are not finished"
            raise TooManyRequests({"reason": reason, "limit": self._of_all})

    def _expire(self, now: float) -> None:
        """Forget what has been purged; what began first stands first."""
        for name, (_, began) in list(islice(self._begun.items(), _PER_LOOK)):
            if not self._lifetime or now - began < self._lifetime:
                return
            self.ended(name)
