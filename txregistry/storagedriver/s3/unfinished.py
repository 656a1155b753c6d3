"""What there is at a path before it is written to, and how writing goes on there.

A file that was closed without commit is an upload in parts, as Docker's registry leaves
it: its parts are listed wherever it is gone on with. Only the last part of a file may
be small. So where that one is, or where there are very many, the parts are made an
object, and the next upload begins with a copy of it; what is smaller than a part is
read. The object goes when the new
upload holds as much.
"""

from __future__ import annotations

import attrs

from txregistry.flow.deferred import deferred
from txregistry.storagedriver.s3.answers import Object, Part, read_time
from txregistry.storagedriver.s3.client import Client
from txregistry.storagedriver.s3.copying import Copies
from txregistry.storagedriver.s3.multipart import Multiparts, Unfinished
from txregistry.storagedriver.s3.request import Ask, Refused
from txregistry.storagedriver.s3.settings import MAX_PARTS, MIN_PART_BYTES


@attrs.frozen
class Start:
    """How a file begins that is gone on with.

    :ivar upload_id: of the upload that has the parts; empty if there is none yet.
    :ivar head: its first bytes, where they are too few for a part.
    :ivar replaces: an object goes when the upload holds as many bytes as it.
    :ivar takes_more: parts can follow; else it has to begin otherwise before that.
    """

    upload_id: str = ""
    parts: tuple[Part, ...] = ()
    head: bytes = b""
    replaces: bool = False
    takes_more: bool = True


@attrs.frozen
class Found:
    """What is at a key: an object, an upload in parts, or both."""

    object: Object | None
    parts: Unfinished | None

    @property
    def is_unfinished(self) -> bool:
        """Tell if the upload is what counts: it has all that the object has."""
        if self.parts is None:
            return False
        return self.object is None or self.parts.size >= self.object.size

    @property
    def size(self) -> int | None:
        """Count its bytes; ``None`` if there is nothing."""
        if self.is_unfinished and self.parts is not None:
            return self.parts.size
        return None if self.object is None else self.object.size

    @property
    def modified_at(self) -> float:
        """Give when it was written to, in seconds since the epoch."""
        if self.is_unfinished and self.parts is not None:
            return self.parts.modified_at
        return 0.0 if self.object is None else self.object.modified_at


@attrs.define(eq=False)
class Unfinisheds:
    """Files that may be unfinished. Fails as the client does."""

    _client: Client
    parts: Multiparts
    _copies: Copies

    @deferred
    async def look(self, key: str, is_appended: bool) -> Found:
        """Look for what is at a key.

        :param is_appended: the path is one where files are gone on with, so that there
            may be both; else an object is all there is.
        """
        if is_appended:
            parts = await self.parts.find(key)
            return Found(await self.object(key), parts)
        found = await self.object(key)
        return Found(found, None if found else await self.parts.find(key))

    @deferred
    async def object(self, key: str) -> Object | None:
        """Fire with an object, if there is one."""
        try:
            answer = await self._client.do(Ask("HEAD", key))
        except Refused as error:
            if error.is_missing:
                return None
            raise
        return Object(
            key,
            int(answer.headers.get("content-length", "0")),
            read_time(answer.headers.get("last-modified", "")),
        )

    @deferred
    async def settle(self, key: str, found: Found) -> None:
        """Make what is there an object, and leave no upload."""
        parts = found.parts
        if parts is None:
            return
        if found.is_unfinished and parts.parts:
            await self.parts.complete(key, parts.upload_id, parts.parts)
            return
        if found.object is None:
            await self._client.do(Ask("PUT", key, headers=self.parts.headers))
        await self.parts.abort(key, parts.upload_id)

    def adopt(self, found: Found) -> Start:
        """Give the beginning of a file all of which is kept, as it is."""
        parts, replaces = found.parts, found.object is not None
        if parts is None or not found.is_unfinished:
            return Start(takes_more=False)
        sizes = [part.size for part in parts.parts]
        is_large = min(sizes, default=MIN_PART_BYTES) >= MIN_PART_BYTES
        # A client that sends small pieces would come to the end of the numbers.
        takes_more = is_large and len(sizes) <= MAX_PARTS // 2
        return Start(parts.upload_id, parts.parts, b"", replaces, takes_more)

    @deferred
    async def rebuild(self, key: str, found: Found, kept: int) -> Start:
        """Begin again with the first bytes of what is there."""
        await self.settle(key, found)
        if kept < MIN_PART_BYTES:
            return Start(head=await self._read(key, kept), replaces=True)
        upload_id = await self.parts.begin(key)
        try:
            parts = await self._copies.copy_parts(key, key, upload_id, kept)
        except BaseException:
            self.parts.abort(key, upload_id).addErrback(lambda _: None)
            raise
        return Start(upload_id, tuple(parts), replaces=True)

    @deferred
    async def _read(self, key: str, size: int) -> bytes:
        if not size:
            return b""
        ask = Ask("GET", key, headers={"Range": f"bytes=0-{size - 1}"})
        body: bytes = (await self._client.do(ask)).body
        return body[:size]
