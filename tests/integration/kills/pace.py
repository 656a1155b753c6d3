"""When to kill, so that it comes at any point of some work on whatever machine."""

from __future__ import annotations

import random

import attrs

#: What the longest delay is changed by, after work that had ended and that had not:
#: about a third of the kills come too late, so all the work is met by the others.
SHORTER, LONGER = 0.8, 1.12


@attrs.define(eq=False)
class Pace:
    """Draws delays for each kind of work, from none to more than it takes."""

    _dice: random.Random
    _longest: dict[str, float]

    def draw(self, work: str) -> float:
        """Give the seconds after which to kill."""
        return self._dice.uniform(0, self._longest[work])

    def learn(self, work: str, ended: bool) -> None:
        """Record whether the work was done when the kill came."""
        self._longest[work] *= SHORTER if ended else LONGER
