"""Where the parts of one file go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.deferred import deferred
from txregistry.storagedriver.s3.answers import Part
from txregistry.storagedriver.s3.client import Client
from txregistry.storagedriver.s3.multipart import Multiparts
from txregistry.storagedriver.s3.request import NOTHING_SHA256, Ask
from txregistry.storagedriver.s3.unfinished import Start


@attrs.define(eq=False)
class FileTarget:
    """One file in the store; one call at a time. Fails as the client does.

    :param start: how it begins.
    :param rebuild: begins it otherwise, which has to be before the first new byte;
        ``None`` if it need not.
    """

    _client: Client
    _multiparts: Multiparts
    _headers: dict[str, str]
    _key: str
    _start: Start
    _rebuild: Callable[[], Deferred[Start]] | None = None
    _upload_id: str = ""
    _parts: list[Part] = attrs.field(factory=list)
    _last: Part | None = None
    _last_sha256: str = ""

    def __attrs_post_init__(self) -> None:
        self._upload_id = self._start.upload_id
        self._parts = list(self._start.parts)

    @property
    def is_empty(self) -> bool:
        """Tell if nothing of the file is in the store, not even that it began."""
        return not self._upload_id and self._rebuild is None

    @property
    def owes(self) -> bool:
        """Tell if bytes from before are in memory alone."""
        return bool(self._start.head) and self._last is None

    @deferred
    async def begin(self) -> None:
        """Make it known that there is a file."""
        if not self._upload_id:
            self._upload_id = await self._multiparts.begin(self._key)

    @deferred
    async def send(self, pieces: Sequence[bytes], sha256: str, is_last: bool) -> None:
        """Send what comes next.

        :param is_last: it may be too small for a part, and come again with more.
        """
        await self._prepare()
        if self._last is not None and self._last_sha256 == sha256:
            part = self._last  # it has not grown
        else:
            await self.begin()
            part = await self._multiparts.send(
                *(self._key, self._upload_id, len(self._parts) + 1),
                *self._with_head(pieces, sha256),
            )
        if is_last:
            self._last, self._last_sha256 = part, sha256
        else:
            self._parts.append(part)
            self._last = None
            self._start = attrs.evolve(self._start, head=b"")
        if self._start.replaces:
            await self._client.remove(Ask("DELETE", self._key))
            self._start = attrs.evolve(self._start, replaces=False)

    @deferred
    async def put(self, pieces: Sequence[bytes], sha256: str) -> None:
        """Make it an object of these bytes."""
        whole, of_whole = self._with_head(pieces, sha256)
        ask = Ask("PUT", self._key, headers=self._headers, body=whole, sha256=of_whole)
        await self._client.do(ask)

    @deferred
    async def complete(self) -> None:
        """Make it an object of what was sent, and of what was there before."""
        parts = [*self._parts, *([] if self._last is None else [self._last])]
        if parts:
            await self._multiparts.complete(self._key, self._upload_id, parts)
        elif self._rebuild is None or self._upload_id:
            await self.put([], NOTHING_SHA256)
            if self._upload_id:
                await self._multiparts.abort(self._key, self._upload_id)

    @deferred
    async def remove(self) -> None:
        """Leave nothing, also of what was there."""
        if self._upload_id:
            await self._multiparts.abort(self._key, self._upload_id)
        await self._client.remove(Ask("DELETE", self._key))

    @deferred
    async def _prepare(self) -> None:
        rebuild, self._rebuild = self._rebuild, None
        if rebuild is None:
            return
        try:
            self._start = await rebuild()
        except BaseException:
            self._rebuild = rebuild
            raise
        self._upload_id = self._start.upload_id
        self._parts = list(self._start.parts)

    def _with_head(
        self, pieces: Sequence[bytes], sha256: str
    ) -> tuple[Sequence[bytes], str]:
        head = self._start.head
        if not head:
            return pieces, sha256
        whole = hashlib.sha256(head)
        for piece in pieces:
            whole.update(piece)
        return [head, *pieces], whole.hexdigest()
