"""Contract for what clients were told of manifests."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from zope.interface import Interface


@attrs.frozen
class LastAnswer:
    """What the last client that asked for a manifest was told.

    :ivar at: in seconds since the epoch.
    :ivar status: of HTTP; 499 if the client left before the end.
    :ivar cache_status: the header of the answer (RFC 9211): a hit or not, why the
        upstream was asked, and why the answer was stale; empty if nothing was looked
        up.
    """

    at: float
    status: int
    cache_status: str


class IAnswers(Interface):
    """The last answers for manifests, as far as memory goes."""

    def answers(part: str) -> Iterable[tuple[str, LastAnswer]]:
        """Give the URIs that contain a text, with the last answer of each.

        The oldest answer comes first.
        """
