"""Bodies of requests on their way into an upload, and what becomes of failed ones."""

from __future__ import annotations

from contextvars import copy_context

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txregistry.flow.streams import ConsumerStopped
from txregistry.interfaces.blobs import IBlobWriter
from txregistry.spec.chunks import parse_chunk
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobTooLarge, RegistryError, SizeInvalid
from txregistry.web.http.request import RegistryRequest

_log = Logger(namespace="txregistry.web")


async def receive(
    request: RegistryRequest, writer: IBlobWriter, max_bytes: int
) -> None:
    """Write the body to the upload; if that fails, keep what was received.

    :param max_bytes: of the whole blob; 0 for no limit.
    :raise SizeInvalid: it has not the length of its ``Content-Range``.
    :raise BlobTooLarge: the blob exceeds the limit.
    """
    try:
        await _write_body(request, writer, max_bytes)
    except BaseException:
        # The client may resume from there.
        _close_in_background(writer)
        raise


async def _write_body(
    request: RegistryRequest, writer: IBlobWriter, max_bytes: int
) -> None:
    """Write the body to the upload, and wait until it is written."""
    if request.body.content_length == 0:
        return
    chunk = parse_chunk(request.header("Content-Range"))
    limit = max_bytes - writer.size if max_bytes else None
    if chunk is not None:
        limit = chunk.end - chunk.start
    try:
        received = await request.body.read(writer, limit)
    except ConsumerStopped:
        # If the disk failed, this raises its error. If not, another request has
        # taken the upload over.
        await writer.flush()
        raise
    await writer.flush()
    if chunk is not None and (request.body.overflowed or received != limit):
        raise SizeInvalid({"expected": limit, "received": received})
    if request.body.overflowed:
        raise BlobTooLarge({"limit": max_bytes})


async def commit(writer: IBlobWriter, digest: Digest) -> Descriptor:
    """Commit an upload; delete it if that fails, as it cannot be resumed then."""
    try:
        return await writer.commit(provisional=Descriptor(digest, None))
    except RegistryError:
        await writer.cancel()
        raise
    except BaseException:
        message = (
            "upload {upload}: not committed, not deleted; left to the purge of uploads"
        )
        _log_failure_of(writer.cancel(), message, writer.upload_id)
        raise


def _close_in_background(writer: IBlobWriter) -> None:
    message = "upload {upload}: received bytes not saved; the client must resend them"
    _log_failure_of(writer.close(), message, writer.upload_id)


def _log_failure_of(done: Deferred[None], message: str, upload_id: str) -> None:
    """Log a failure of clean-up that nothing waits for, in the request's context."""
    context = copy_context()
    done.addErrback(
        lambda failure: context.run(_log.failure, message, failure, upload=upload_id)
    )
