"""Files in parts: how they begin, are looked for, completed and given up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import quote

import attrs

from txregistry.flow.deferred import deferred
from txregistry.storagedriver.s3.answers import (
    BadAnswer,
    Begun,
    Part,
    completion,
    read_etag,
    read_parts,
    read_upload_id,
    read_uploads,
)
from txregistry.storagedriver.s3.client import Client
from txregistry.storagedriver.s3.request import Ask, Refused, with_body


@attrs.frozen
class Unfinished:
    """A file in parts that was not completed.

    :ivar parts: by their numbers, which have no gaps.
    """

    key: str
    upload_id: str
    parts: tuple[Part, ...]
    modified_at: float

    @property
    def size(self) -> int:
        """Count the bytes of all parts."""
        return sum(part.size for part in self.parts)


@attrs.define(eq=False)
class Multiparts:
    """The files in parts of one bucket.

    :param headers: with which each begins.
    """

    _client: Client
    _bucket: str
    headers: Mapping[str, str]

    @deferred
    async def find(self, key: str) -> Unfinished | None:
        """Fire with the latest one of a key, if there is one.

        Times may be whole seconds, and one whose beginning was not heard of is begun
        again at once: of those that are as late as each other the longest counts.
        """
        latest: list[Begun] = []
        async for begun in self.below(key):
            if begun.key > key:
                break
            if begun.key == key:
                latest = _latest(latest, begun)
        best: Unfinished | None = None
        for begun in latest:
            found = await self._look(begun)
            if found is not None and (best is None or found.size >= best.size):
                best = found
        return best

    @deferred
    async def _look(self, begun: Begun) -> Unfinished | None:
        key, upload_id = begun.key, begun.upload_id
        try:
            parts = await self._parts(key, upload_id)
        except Refused as error:
            if error.is_missing:
                return None  # it was completed meanwhile
            raise
        times = [part.modified_at for part in parts]
        return Unfinished(key, upload_id, parts, max([begun.begun_at, *times]))

    async def below(self, prefix: str) -> AsyncIterator[Begun]:
        """Visit all whose keys begin so, by their keys; await each."""
        markers: tuple[str, str] | None = ("", "")
        while markers is not None:
            query = [("prefix", prefix), ("uploads", "")]
            if markers[0]:
                query += [("key-marker", markers[0]), ("upload-id-marker", markers[1])]
            answer = await self._client.do(Ask("GET", query=tuple(sorted(query))))
            page = read_uploads(answer.body)
            for begun in page.found:
                yield begun
            markers = page.markers

    @deferred
    async def begin(self, key: str) -> str:
        """Begin one; fires with its name."""
        ask = Ask("POST", key, (("uploads", ""),), self.headers)
        return read_upload_id((await self._client.do(ask)).body)

    @deferred
    async def send(
        self, key: str, upload_id: str, number: int, pieces: Sequence[bytes], sha: str
    ) -> Part:
        """Send one part, perhaps in the place of an earlier one."""
        query = (("partNumber", str(number)), ("uploadId", upload_id))
        answer = await self._client.do(Ask("PUT", key, query, body=pieces, sha256=sha))
        etag = answer.headers.get("etag", "")
        return Part(number, etag, sum(map(len, pieces)))

    @deferred
    async def copy(
        self, key: str, upload_id: str, number: int, source: str, span: tuple[int, int]
    ) -> Part:
        """Make a part of what an object has from one offset to another."""
        headers = {
            "x-amz-copy-source": copy_source(self._bucket, source),
            "x-amz-copy-source-range": f"bytes={span[0]}-{span[1] - 1}",
        }
        query = (("partNumber", str(number)), ("uploadId", upload_id))
        ask = Ask("PUT", key, query, headers, result="CopyPartResult")
        answer = await self._client.do(ask)
        etag = read_etag(answer.body, "CopyPartResult")
        return Part(number, etag, span[1] - span[0])

    @deferred
    async def complete(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Make a file of the parts; without parts it is given up."""
        query, kind = (("uploadId", upload_id),), "CompleteMultipartUploadResult"
        ask = with_body(Ask("POST", key, query, result=kind), completion(parts))
        try:
            await self._client.do(ask)
        except Refused as error:
            # The answer to an attempt that succeeded may have been lost.
            if not error.is_missing or not await self._is_there(key, parts):
                raise

    @deferred
    async def abort(self, key: str, upload_id: str) -> None:
        """Give one up; it need not be there."""
        await self._client.remove(Ask("DELETE", key, (("uploadId", upload_id),)))

    @deferred
    async def _is_there(self, key: str, parts: Sequence[Part]) -> bool:
        try:
            answer = await self._client.do(Ask("HEAD", key))
        except Refused:
            return False
        size = sum(part.size for part in parts)
        return answer.headers.get("content-length") == str(size)

    @deferred
    async def _parts(self, key: str, upload_id: str) -> tuple[Part, ...]:
        found: list[Part] = []
        marker: str | None = ""
        while marker is not None:
            query = [("uploadId", upload_id)]
            if marker:
                query.insert(0, ("part-number-marker", marker))
            answer = await self._client.do(Ask("GET", key, tuple(query)))
            page = read_parts(answer.body)
            found += page.found
            marker = page.marker or None
        found.sort(key=lambda part: part.number)
        _check_whole(found)
        return tuple(found)


def _check_whole(parts: Sequence[Part]) -> None:
    """Refuse to go on with what the store has lost a part of."""
    for number, part in enumerate(parts, 1):
        if part.number != number:
            raise BadAnswer(f"part {number} of the upload is lost")


def _latest(known: list[Begun], begun: Begun) -> list[Begun]:
    """Give those that are the latest, with one more that is listed."""
    if not known or begun.begun_at > known[0].begun_at:
        return [begun]
    return [*known, begun] if begun.begun_at == known[0].begun_at else known


def copy_source(bucket: str, key: str) -> str:
    """Name an object that is to be copied."""
    return quote(f"/{bucket}/{key}", safe="/-_.~")
