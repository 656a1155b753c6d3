"""Counts changes, so that what was found before one is known to be old."""

from __future__ import annotations

from collections import Counter

import attrs

#: The subject of content that is deleted because no image has it. Links to it have gone
#: before, as changes of their repositories, or go soon after.
CONTENT = "/"

#: Subjects whose last changes are remembered apart from one another.
MAX_SUBJECTS = 1000


@attrs.define(eq=False)
class ChangeTimes:
    """The times of the last changes to a number of subjects.

    A time here is a number that each change makes larger.

    :ivar now: the present time.
    """

    now: int = 0
    _of_all: int = 0
    _last: dict[str, int] = attrs.field(factory=dict)
    _under_way: Counter[str] = attrs.field(factory=Counter)

    def note(self, subject: str = "") -> None:
        """Note that a subject has changed just now; an empty one is all of them.

        Beyond :data:`MAX_SUBJECTS` all count as changed, and it begins anew.
        """
        self.now += 1
        if subject and len(self._last) < MAX_SUBJECTS:
            self._last[subject] = self.now
        else:
            self._of_all = self.now
            self._last.clear()

    def begin(self, subject: str) -> None:
        """Note that a subject is about to change: until the end it counts as changed.

        An empty subject is all of them. Each begin has one :meth:`end`.
        """
        self._under_way[subject] += 1

    def end(self, subject: str) -> None:
        """Note the end of a change."""
        self._under_way[subject] -= 1
        if not self._under_way[subject]:
            del self._under_way[subject]
        self.note(subject)

    def since(self, then: int, *subjects: str) -> bool:
        """Tell whether any of some subjects may have changed since, or changes now."""
        if self._of_all > then or "" in self._under_way:
            return True
        for subject in subjects:
            if subject in self._under_way or self._last.get(subject, 0) > then:
                return True
        return False
