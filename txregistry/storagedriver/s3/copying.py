"""Copies within the bucket, which the store makes itself."""

from __future__ import annotations

import attrs
from twisted.internet.defer import (
    Deferred,
    DeferredSemaphore,
    FirstError,
    gatherResults,
)
from twisted.python.failure import Failure

from txregistry.flow.context import in_context
from txregistry.flow.deferred import deferred
from txregistry.storagedriver.s3.answers import Part, read_etag
from txregistry.storagedriver.s3.client import Client
from txregistry.storagedriver.s3.multipart import Multiparts, copy_source
from txregistry.storagedriver.s3.request import Ask, Refused
from txregistry.storagedriver.s3.settings import (
    MAX_COPY_BYTES,
    MAX_PARTS,
    MIN_PART_BYTES,
    S3Settings,
)

Span = tuple[int, int]


def spans(size: int, chunk: int) -> list[Span]:
    """Divide so many bytes in parts of about a size.

    None of them is too small for a part, or larger than what is copied at once.

    :param size: at least that of the smallest part.
    """
    count = size // max(chunk, MIN_PART_BYTES, -(-size // MAX_PARTS))
    count = max(1, count, -(-size // MAX_COPY_BYTES))
    ends = [size * (index + 1) // count for index in range(count)]
    return list(zip([0, *ends], ends, strict=False))


@attrs.define(eq=False)
class Copies:
    """Copies objects of one bucket."""

    _client: Client
    _parts: Multiparts
    _settings: S3Settings
    _turns: DeferredSemaphore = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        limit = self._settings.multipartcopymaxconcurrency
        self._turns = DeferredSemaphore(limit)

    @deferred
    async def copy(self, source: str, target: str, size: int) -> None:
        """Copy an object of so many bytes, over what is there."""
        if size <= max(self._settings.multipartcopythresholdsize, MIN_PART_BYTES):
            await self._whole(source, target)
            return
        try:
            await self._in_parts(source, target, size)
        except Refused as error:
            if not error.is_unknown or size > MAX_COPY_BYTES:
                raise
            await self._whole(source, target)

    @deferred
    async def _in_parts(self, source: str, target: str, size: int) -> None:
        upload_id = await self._parts.begin(target)
        try:
            parts = await self.copy_parts(source, target, upload_id, size)
            await self._parts.complete(target, upload_id, parts)
        except BaseException:
            self._parts.abort(target, upload_id).addErrback(lambda _: None)
            raise

    def copy_parts(
        self, source: str, target: str, upload_id: str, size: int
    ) -> Deferred[list[Part]]:
        """Make the first bytes of an object the first parts of a file.

        :param size: at least that of the smallest part.
        """
        found = spans(size, self._settings.multipartcopychunksize)
        copied = [
            self._turns.run(
                in_context(self._parts.copy), target, upload_id, index + 1, source, span
            )
            for index, span in enumerate(found)
        ]
        done: Deferred[list[Part]] = gatherResults(copied, consumeErrors=True)

        def give_up(failure: Failure) -> Failure:
            # They would be parts of nothing. Those that wait first: who ends lets the
            # next one begin.
            for one in reversed(copied):
                one.cancel()
            return _first_error(failure)

        return done.addErrback(give_up)

    @deferred
    async def _whole(self, source: str, target: str) -> None:
        headers = {
            **self._settings.object_headers,
            "x-amz-copy-source": copy_source(self._settings.bucket, source),
        }
        kind = "CopyObjectResult"
        answer = await self._client.do(Ask("PUT", target, headers=headers, result=kind))
        read_etag(answer.body, kind)


def _first_error(failure: Failure) -> Failure:
    error = failure.value
    return error.subFailure if isinstance(error, FirstError) else failure
