"""HTTP/2 bodies that still arrive after their requests were answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from txregistry.web.http.body_request import MAX_DROPPED_BYTES
from txregistry.web.http.connections import expects_continue
from txregistry.web.http.pieces import WINDOW_BYTES


def dropped_bytes(request: Any) -> int:
    """Return how much is dropped of a body that is late.

    See Note [Late bodies] in :mod:`txregistry.web.http.http2`.
    """
    if expects_continue(request):
        return 0  # its client waits, and sends nothing
    return WINDOW_BYTES if request.has_large_rest() else MAX_DROPPED_BYTES


@attrs.define(eq=False)
class LateBodies:
    """Limits what is read and dropped of each late body.

    See Note [Late bodies] in :mod:`txregistry.web.http.http2`.

    :param reset: is called with the id of a stream that exceeds its limit.
    """

    _reset: Callable[[int], None]
    _left: dict[int, int] = attrs.field(factory=dict)

    @property
    def streams(self) -> list[int]:
        """Return the ids of streams whose bodies are still expected."""
        return list(self._left)

    def expect(self, stream_id: int, max_bytes: int) -> None:
        """Drop up to so many bytes of a body; with 0, reset the stream at once."""
        self._left[stream_id] = max_bytes
        self.count(stream_id, 0)

    def count(self, stream_id: int, size: int) -> None:
        """Count dropped bytes, framing included; ignores an unknown stream."""
        left = self._left.pop(stream_id, None)
        if left is None:
            return
        if left > size:
            self._left[stream_id] = left - size
        else:
            self._reset(stream_id)

    def forget(self, stream_id: int) -> bool:
        """Expect no more of a body: it has ended.

        :return: whether more was expected.
        """
        return self._left.pop(stream_id, None) is not None
