"""Deletes files, and directories with all below them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

import attrs

from txregistry.flow.deferred import deferred
from txregistry.storagedriver.s3.answers import (
    DELETED,
    Failed,
    deletion,
    not_deleted,
)
from txregistry.storagedriver.s3.client import Client
from txregistry.storagedriver.s3.keys import Keys
from txregistry.storagedriver.s3.listing import Listing
from txregistry.storagedriver.s3.multipart import Multiparts
from txregistry.storagedriver.s3.request import Ask, Refused, with_body

#: Characters that a document cannot hold, or does not keep.
_UNNAMED = re.compile("[\x00-\x1f\ufffe\uffff]")

#: Statuses by which stores say that they do not delete several objects at once.
_UNKNOWN = frozenset({400, 405, 501})

#: Files of these paths are gone on with: the data of clients' uploads.
_APPENDED = re.compile(r"/_uploads/[^/]+/data$")


def is_appended(path: str) -> bool:
    """Tell if a file may be an object, and an upload that is gone on with as well."""
    return _APPENDED.search(path) is not None


@attrs.define(eq=False)
class Removal:
    """Deletes what is in one bucket. Fails as the client does."""

    _client: Client
    _keys: Keys
    _listing: Listing
    _parts: Multiparts

    @deferred
    async def file(self, key: str) -> None:
        """Delete an object; it need not be there."""
        await self._client.remove(Ask("DELETE", key))

    @deferred
    async def _is_there(self, key: str) -> bool:
        try:
            await self._client.do(Ask("HEAD", key))
        except Refused as error:
            if not error.is_missing:
                raise
            return False
        return True

    @deferred
    async def tree(self, path: str) -> bool:
        """Delete a file, or all below a directory; fires with whether there was any."""
        key, prefix = self._keys.key(path), self._keys.prefix(path)
        found = False
        # Uploads first: objects may follow from them, and what is begun again later is
        # found by who asks again, as long as there is an object.
        async for begun in self._parts.below(key):
            if begun.key == key or begun.key.startswith(prefix):
                found = True
                await self._parts.abort(begun.key, begun.upload_id)
        # A list may come late, and what is not in it would stay.
        if await self._is_there(key):
            found = True
            await self.file(key)
        async for page in self._listing.pages(prefix):
            if page.objects:
                found = True
                await self._objects([item.key for item in page.objects])
        return found

    @deferred
    async def abandoned(self, path: str, before: float) -> int:
        """Give up uploads in parts that began before a time and belong to nobody.

        One whose time cannot be read is spared, and that of a client while its
        directory is there: the purge of uploads decides about those.
        """
        count = 0
        async for begun in self._parts.below(self._keys.prefix(path)):
            is_young = not begun.begun_at or begun.begun_at >= before
            if is_young or await self._is_claimed(begun.key):
                continue
            await self._parts.abort(begun.key, begun.upload_id)
            count += 1
        return count

    @deferred
    async def _is_claimed(self, key: str) -> bool:
        if not is_appended(self._keys.path(key)):
            return False
        beside = key.rpartition("/")[0] + "/"
        return await self._listing.first(beside) is not None

    @deferred
    async def _objects(self, keys: Sequence[str]) -> None:
        """Delete objects: at once, but for those that no document can name."""
        named = [key for key in keys if not _UNNAMED.search(key)]
        for key in keys:
            if _UNNAMED.search(key):
                await self.file(key)
        if len(named) > 1:
            await self._together(named)
        elif named:
            await self.file(named[0])

    @deferred
    async def _together(self, keys: Sequence[str]) -> None:
        delays = iter(self._client.delays())
        left = await self._ask(keys)
        while left:
            refusals = [Refused(why, {}) for _, why in left]
            lasting = [error for error in refusals if not error.is_passing]
            delay = next(delays, None)
            if lasting or delay is None:
                raise (lasting or refusals)[0]
            await self._client.wait(delay)
            left = await self._ask([key for key, _ in left])

    @deferred
    async def _ask(self, keys: Sequence[str]) -> list[tuple[str, Failed]]:
        """Delete objects; fire with those that are left."""
        body = deletion(keys)
        # Asked for by the protocol, whatever else signs the body.
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
        headers = {"Content-MD5": md5.decode("ascii")}
        ask = Ask("POST", query=(("delete", ""),), headers=headers, result=DELETED)
        try:
            answer = await self._client.do(with_body(ask, body))
        except Refused as error:
            if error.failed.status not in _UNKNOWN:
                raise
            for key in keys:
                await self.file(key)
            return []
        return list(not_deleted(answer.body))
