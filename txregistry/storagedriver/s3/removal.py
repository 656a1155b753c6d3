"""Deletes files, and directories with all below them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

import attrs

from txregistry.flow.deferred import deferred
from txregistry.storagedriver.s3.answers import deletion, not_deleted
from txregistry.storagedriver.s3.client import Client
from txregistry.storagedriver.s3.keys import Keys
from txregistry.storagedriver.s3.listing import Listing
from txregistry.storagedriver.s3.multipart import Multiparts
from txregistry.storagedriver.s3.request import Ask, Refused, with_body

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
        try:
            await self._client.do(Ask("DELETE", key))
        except Refused as error:
            if not error.is_missing:
                raise

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
        # A list may come late, and what is not in it would stay.
        found = await self._is_there(key)
        if found:
            await self.file(key)
        async for page in self._listing.pages(prefix):
            if page.objects:
                found = True
                await self._objects([item.key for item in page.objects])
        async for begun in self._parts.below(key):
            if begun.key == key or begun.key.startswith(prefix):
                found = True
                await self._parts.abort(begun.key, begun.upload_id)
        return found

    @deferred
    async def abandoned(self, path: str, before: float) -> int:
        """Give up uploads in parts that began before a time and belong to nobody.

        That of a client is spared while its directory is there: the purge of uploads
        decides about those.
        """
        count = 0
        async for begun in self._parts.below(self._keys.prefix(path)):
            if begun.begun_at >= before or await self._is_claimed(begun.key):
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
        if len(keys) == 1:
            await self.file(keys[0])
            return
        body = deletion(keys)
        # Asked for by the protocol, whatever else signs the body.
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
        headers = {"Content-MD5": md5.decode("ascii")}
        ask = Ask("POST", query=(("delete", ""),), headers=headers)
        answer = await self._client.do(with_body(ask, body))
        for failed in not_deleted(answer.body):
            raise Refused(failed, answer.headers)
