"""Contract for how much of a cache could be pulled without any upstream."""

from __future__ import annotations

import attrs
from zope.interface import Interface


@attrs.frozen
class Lacking:
    """A tag whose pull would lack something, and what."""

    image: str
    lacks: str


@attrs.frozen
class Readiness:
    """How many tags would pull with the link down.

    :ivar ready: of them.
    :ivar tags: that were looked at.
    :ivar at: when the look ended, in seconds since the epoch; 0 before the first one
        has: then the others are about what was looked at so far.
    :ivar looking: a look is under way.
    :ivar lacking: the first of the others.
    """

    ready: int = 0
    tags: int = 0
    at: float = 0.0
    looking: bool = False
    lacking: tuple[Lacking, ...] = ()


class IReadinessSurvey(Interface):
    """Looks at all tags of a cache, a few at a time."""

    def readiness() -> Readiness:
        """Give what the last look has found; begins another one if that is old."""
