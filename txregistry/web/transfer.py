"""Send content by digest: whole, ranges of it, or 304 (RFC 9110, 13 and 14)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from txregistry.flow.producer_relay import open_relay
from txregistry.interfaces.files import IFileReader
from txregistry.spec.conditional import (
    etag,
    match_holds,
    none_match_fails,
    range_applies,
)
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.errors import PreconditionFailed
from txregistry.spec.ranges import ByteRange, parse_range
from txregistry.web.http.request import RegistryRequest


def describe(request: RegistryRequest, descriptor: Descriptor, media_type: str) -> None:
    """Set the headers that describe some content."""
    headers = request.responseHeaders
    digest = str(descriptor.digest).encode("ascii")
    headers.setRawHeaders(b"Content-Type", [media_type.encode("ascii")])
    headers.setRawHeaders(b"Docker-Content-Digest", [digest])
    headers.setRawHeaders(b"ETag", [b'"%b"' % digest])
    if descriptor.size is not None:
        headers.setRawHeaders(b"Content-Length", [b"%d" % descriptor.size])
        headers.setRawHeaders(b"Accept-Ranges", [b"bytes"])


def is_not_modified(request: RegistryRequest, descriptor: Descriptor) -> bool:
    """Tell whether the client has the content; if so, turn the answer into a 304.

    :raise PreconditionFailed: ``If-Match`` names other content only.
    """
    wanted = request.headers_named("If-Match")
    if wanted and not match_holds(wanted, descriptor.digest):
        raise PreconditionFailed({"ETag": etag(descriptor.digest)})
    values = request.headers_named("If-None-Match")
    if not values or not none_match_fails(values, descriptor.digest):
        return False
    request.setResponseCode(304)
    for header in (b"Content-Length", b"Content-Type", b"Accept-Ranges"):
        request.responseHeaders.removeHeader(header)
    return True


def wanted_parts(
    request: RegistryRequest, descriptor: Descriptor
) -> Sequence[ByteRange] | None:
    """Return the requested ranges; ``None`` for the whole content.

    :raise RangeInvalid: none of them overlaps the content.
    """
    header = request.header("Range")
    if not header or descriptor.size is None:
        return None
    if not range_applies(request.header("If-Range") or None, descriptor.digest):
        return None
    return parse_range(header, descriptor.size)


async def send(
    request: RegistryRequest, reader: IFileReader, descriptor: Descriptor
) -> None:
    """Send the whole content or the requested ranges; its headers are set already.

    The head is sent before the first byte of content is available, so that a client
    does not time out while a slow download begins.
    """
    parts = wanted_parts(request, descriptor)
    if parts is None:
        _send_head(request)
        await reader.read(consumer=request, offset=0, size=descriptor.size)
    elif len(parts) == 1:
        await _send_part(request, reader, descriptor, parts[0])
    else:
        await _send_parts(request, reader, descriptor, parts)


async def _send_part(
    request: RegistryRequest,
    reader: IFileReader,
    descriptor: Descriptor,
    part: ByteRange,
) -> None:
    assert descriptor.size is not None
    request.setResponseCode(206)
    request.setHeader(b"Content-Range", part.content_range(descriptor.size))
    request.setHeader(b"Content-Length", b"%d" % part.size)
    _send_head(request)
    await reader.read(consumer=request, offset=part.start, size=part.size)


async def _send_parts(
    request: RegistryRequest,
    reader: IFileReader,
    descriptor: Descriptor,
    parts: Sequence[ByteRange],
) -> None:
    """Send several ranges as multipart/byteranges (RFC 9110, 14.6)."""
    assert descriptor.size is not None
    boundary = uuid.uuid4().hex
    kind = request.responseHeaders.getRawHeaders(b"Content-Type", [b""])[0]
    heads = [
        b"\r\n--%b\r\nContent-Type: %b\r\nContent-Range: %b\r\n\r\n"
        % (boundary.encode(), kind, part.content_range(descriptor.size).encode())
        for part in parts
    ]
    tail = b"\r\n--%b--\r\n" % boundary.encode()
    length = sum(map(len, heads)) + sum(part.size for part in parts) + len(tail)
    request.setResponseCode(206)
    request.setHeader(b"Content-Type", f"multipart/byteranges; boundary={boundary}")
    request.setHeader(b"Content-Length", b"%d" % length)
    relayed = open_relay(request)
    try:
        for head, part in zip(heads, parts, strict=True):
            await relayed.relay.ready()
            request.write(head)
            await reader.read(
                consumer=relayed.consumer, offset=part.start, size=part.size
            )
    finally:
        relayed.relay.close()
    request.write(tail)


def _send_head(request: RegistryRequest) -> None:
    request.write(b"")
