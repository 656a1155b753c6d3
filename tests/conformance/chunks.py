"""Pushing blobs in chunks, asking how far an upload is, throwing it away."""

from __future__ import annotations

from tests.conformance.client import Client, Streamed
from tests.conformance.content import (
    OCTETS,
    begin,
    delete,
    digest_of,
    finish,
    fresh,
    get,
    head,
    patch,
    place,
    url,
)
from tests.conformance.form import MUST, SHOULD, case, equal, expect, holds, refused

CHUNKS = "Pushing a blob in chunks"
STATUS = "Pushing a blob in chunks: upload status"
CANCEL = "main: Cancel a blob upload"


@case(CHUNKS, MUST)
async def chunks_in_order(c: Client) -> None:
    """Chunks in order are each 202 with Location and Range, and make the blob."""
    content, location = fresh(c, size=3000), await begin(c)
    for start in (0, 1000, 2000):
        got = await patch(c, location, content[start : start + 1000], start)
        equal(expect(got, 202).header("Range"), f"0-{start + 999}")
        location = place(got)
    got = expect(await finish(c, location, digest_of(content)), 201)
    equal((await get(c, place(got))).body == content, True, "the blob is whole")


@case(CHUNKS, MUST)
async def last_chunk_with_put(c: Client) -> None:
    """The last chunk may come with the PUT, with its Content-Range."""
    content, location = fresh(c), await begin(c)
    location = place(expect(await patch(c, location, content[:400], 0), 202))
    headers = {"Content-Type": OCTETS, "Content-Range": "400-999"}
    path = f"{location}{'&' if '?' in location else '?'}digest={digest_of(content)}"
    got = expect(await c.request("PUT", path, content[400:], headers), 201)
    equal((await get(c, place(got))).body == content, True, "the blob is whole")


@case(CHUNKS, MUST)
async def chunks_of_different_sizes(c: Client) -> None:
    """Chunks need not be of one size; one byte will do."""
    content, location, start = fresh(c), await begin(c), 0
    for size in (1, 998, 1):
        got = await patch(c, location, content[start : start + size], start)
        location, start = place(expect(got, 202)), start + size
    expect(await finish(c, location, digest_of(content)), 201)


@case(CHUNKS, SHOULD)
async def no_least_size_is_asked_for(c: Client) -> None:
    """A registry that takes chunks of any size names no least one."""
    got = expect(await c.request("POST", url(c, "blobs/uploads", "")), 202)
    equal(got.header("OCI-Chunk-Min-Length"), None)


@case(CHUNKS, MUST)
async def first_chunk_out_of_order(c: Client) -> None:
    """A first chunk that does not begin at 0 is 416."""
    location = await begin(c)
    refused(await patch(c, location, fresh(c), 1), 416)


@case(CHUNKS, MUST)
async def later_chunk_out_of_order(c: Client) -> None:
    """A chunk that leaves a gap is 416, and nothing of it is kept."""
    content, location = fresh(c), await begin(c)
    location = place(expect(await patch(c, location, content[:100], 0), 202))
    refused(await patch(c, location, content[200:], 200), 416)
    got = expect(await get(c, location), 204)
    equal(got.header("Range"), "0-99")


@case(CHUNKS, MUST)
async def chunk_that_comes_again(c: Client) -> None:
    """A chunk that was taken already is 416."""
    content, location = fresh(c), await begin(c)
    location = place(expect(await patch(c, location, content[:100], 0), 202))
    refused(await patch(c, location, content[:100], 0), 416)


@case("distribution: chunks (regctl)", MUST)
async def refused_chunk_says_where_to_go_on(c: Client) -> None:
    """416 has Location and Range, and the upload can go on from there."""
    content, location = fresh(c), await begin(c)
    location = place(expect(await patch(c, location, content[:100], 0), 202))
    got = expect(await patch(c, location, content[500:], 500), 416)
    equal(got.header("Range"), "0-99")
    got = expect(await patch(c, place(got), content[100:], 100), 202)
    expect(await finish(c, place(got), digest_of(content)), 201)


@case("main: Pushing a blob in chunks", MUST)
async def put_out_of_order(c: Client) -> None:
    """A last chunk out of order is 416 as well."""
    content, location = fresh(c), await begin(c)
    location = place(expect(await patch(c, location, content[:100], 0), 202))
    path = f"{location}{'&' if '?' in location else '?'}digest={digest_of(content)}"
    headers = {"Content-Type": OCTETS, "Content-Range": "200-1099"}
    refused(await c.request("PUT", path, content[100:], headers), 416)
    expect(await finish(c, location, digest_of(content), content[100:]), 201)


@case(CHUNKS, MUST)
async def malformed_content_range(c: Client) -> None:
    """A Content-Range that is malformed is refused, and nothing is taken."""
    for given in ("x", "5", "-5", "9-3", "bytes=0-x"):
        location = await begin(c)
        headers = {"Content-Type": OCTETS, "Content-Range": given}
        got = await c.request("PATCH", location, b"0123456789", headers)
        refused(got, (400, 416))
        equal((await get(c, location)).header("Range"), "0-0", given)


@case("distribution: chunks", MUST)
async def content_range_of_another_length(c: Client) -> None:
    """A Content-Range that differs from the length of the chunk is SIZE_INVALID."""
    headers = {"Content-Type": OCTETS, "Content-Range": "0-99"}
    got = await c.request("PATCH", await begin(c), fresh(c), headers)
    refused(got, 400, "SIZE_INVALID")


@case("distribution: chunks (dockerd)", MUST)
async def chunks_without_content_range(c: Client) -> None:
    """A chunk that does not say where it begins goes on where the last ended."""
    content, location = fresh(c), await begin(c)
    for start, end in ((0, 300), (300, 1000)):
        got = expect(await patch(c, location, content[start:end]), 202)
        equal(got.header("Range"), f"0-{end - 1}")
        location = place(got)
    expect(await finish(c, location, digest_of(content)), 201)


@case("distribution: chunks (podman)", MUST)
async def streamed_chunk(c: Client) -> None:
    """A chunk whose length is not announced is taken."""
    parts = [fresh(c, n) for n in range(5)]
    headers = {"Content-Type": OCTETS}
    got = await c.request("PATCH", await begin(c), Streamed(parts), headers)
    equal(expect(got, 202).header("Range"), "0-4999")
    expect(await finish(c, place(got), digest_of(b"".join(parts))), 201)


@case("distribution: chunks", MUST)
async def empty_chunk(c: Client) -> None:
    """A chunk of no bytes changes nothing and harms nothing."""
    content = fresh(c)
    got = expect(await patch(c, await begin(c), b""), 202)
    got = expect(await patch(c, place(got), content), 202)
    got = expect(await patch(c, place(got), b""), 202)
    equal(got.header("Range"), "0-999")
    expect(await finish(c, place(got), digest_of(content)), 201)


@case("distribution: chunks", MUST)
async def chunk_without_a_content_type(c: Client) -> None:
    """A chunk without a Content-Type is taken."""
    got = await c.request("PATCH", await begin(c), fresh(c))
    expect(got, 202)


@case("distribution: chunks", MUST)
async def chunk_answers_name_the_upload(c: Client) -> None:
    """Each answer has the id of the upload, and says that it has no body."""
    begun = expect(await c.request("POST", url(c, "blobs/uploads", "")), 202)
    got = expect(await patch(c, place(begun), fresh(c), 0), 202)
    known = begun.header("Docker-Upload-UUID")
    equal(got.header("Docker-Upload-UUID"), known)
    equal((got.body, got.length), (b"", 0))


@case("distribution: chunks", MUST)
async def chunk_to_an_old_place(c: Client) -> None:
    """A place whose state is older than the upload is refused, the upload is kept."""
    content, first = fresh(c), await begin(c)
    got = expect(await patch(c, first, content[:100]), 202)
    if "_state=" in first:
        refused(await patch(c, first, content[100:]), 416, "RANGE_INVALID")
    got = expect(await patch(c, place(got), content[100:]), 202)
    expect(await finish(c, place(got), digest_of(content)), 201)


@case(CHUNKS, MUST)
async def chunks_with_another_digest(c: Client) -> None:
    """Chunks that do not make what the digest names are no blob."""
    content = fresh(c)
    got = expect(await patch(c, await begin(c), content[1:], 0), 202)
    refused(await finish(c, place(got), digest_of(content)), 400, "DIGEST_INVALID")
    expect(await head(c, url(c, "blobs", digest_of(content))), 404)


@case(CHUNKS, MUST)
async def chunk_to_nowhere(c: Client) -> None:
    """A chunk of an upload that is not known is 404."""
    location = url(c, "blobs/uploads", "6b3c9a93-af5d-473f-a4ce-9710022185cd")
    got = await patch(c, location, fresh(c), 0)
    refused(got, 404, "BLOB_UPLOAD_UNKNOWN")


# How far it is.


@case(STATUS, MUST)
async def status_of_an_upload(c: Client) -> None:
    """GET of an upload is 204 with the range that is there and a Location."""
    got = expect(await patch(c, await begin(c), fresh(c), 0), 202)
    got = expect(await get(c, place(got)), 204)
    equal(got.header("Range"), "0-999")
    holds(place(got), "there is no Location")
    equal(got.body, b"")


@case("distribution: upload status", MUST)
async def status_of_an_empty_upload(c: Client) -> None:
    """An upload without bytes is at 0-0."""
    got = expect(await get(c, await begin(c)), 204)
    equal(got.header("Range"), "0-0")
    holds(got.header("Docker-Upload-UUID"), "there is no id")


@case("distribution: upload status", MUST)
async def head_of_an_upload(c: Client) -> None:
    """HEAD of an upload tells as much as GET."""
    got = expect(await patch(c, await begin(c), fresh(c), 0), 202)
    got = expect(await head(c, place(got)), 204)
    equal(got.header("Range"), "0-999")


@case("distribution: upload status", MUST)
async def status_without_a_state(c: Client) -> None:
    """A client that has only the id of an upload is told nothing of it."""
    content = fresh(c)
    got = expect(await patch(c, await begin(c), content[:10], 0), 202)
    expect(await get(c, place(got).partition("?")[0]), 404)
    got = expect(await patch(c, place(got), content[10:], 10), 202)
    expect(await finish(c, place(got), digest_of(content)), 201)


@case(STATUS, MUST)
async def status_of_nothing(c: Client) -> None:
    """The status of an upload that is not known is 404."""
    location = url(c, "blobs/uploads", "6b3c9a93-af5d-473f-a4ce-9710022185cd")
    refused(await get(c, location), 404, "BLOB_UPLOAD_UNKNOWN")


# Throwing away.


@case(CANCEL, MUST)
async def cancel(c: Client) -> None:
    """DELETE of an upload is 204."""
    got = expect(await patch(c, await begin(c), fresh(c), 0), 202)
    equal(expect(await delete(c, place(got)), 204).body, b"")


@case(CANCEL, MUST)
async def cancelled_is_not_known(c: Client) -> None:
    """What was thrown away can neither be asked for nor gone on with."""
    content, location = fresh(c), await begin(c)
    expect(await delete(c, location), 204)
    refused(await get(c, location), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(await patch(c, location, content, 0), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(await finish(c, location, digest_of(content), content), 404)
    refused(await delete(c, location), 404, "BLOB_UPLOAD_UNKNOWN")


@case(CANCEL, MUST)
async def cancel_of_nothing(c: Client) -> None:
    """An upload that is not known cannot be thrown away."""
    location = url(c, "blobs/uploads", "6b3c9a93-af5d-473f-a4ce-9710022185cd")
    refused(await delete(c, location), 404, "BLOB_UPLOAD_UNKNOWN")
