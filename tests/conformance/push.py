"""Pushing blobs at once: POST and PUT, one POST, mounting, digests of other kinds."""

from __future__ import annotations

import re

from tests.conformance.client import Client, Response, Streamed
from tests.conformance.content import (
    NOBODY,
    OCI_CONFIG,
    OCTETS,
    begin,
    delete,
    descriptor,
    digest_of,
    document,
    finish,
    fresh,
    get,
    head,
    image,
    place,
    push_blob,
    put,
    url,
    with_digest,
)
from tests.conformance.form import (
    MAY,
    MUST,
    SHOULD,
    case,
    equal,
    expect,
    holds,
    refused,
)

PUT = "Pushing a blob monolithically: POST then PUT"
POST = "Pushing a blob monolithically: Single POST"
MOUNT = "Mounting a blob from another repository"
DIGESTS = "main: digest-algorithm"


async def is_pullable(c: Client, got: Response, content: bytes) -> None:
    """Say that an answer's Location is a blob with some content."""
    found = expect(await get(c, place(got)), 200)
    equal(found.body == content, True, "the blob is what was pushed")


@case(PUT, MUST)
async def post_gives_a_place(c: Client) -> None:
    """POST is answered with 202 and a Location for the upload."""
    got = await c.request("POST", url(c, "blobs/uploads", ""))
    holds(place(expect(got, 202)), "there is no place")
    equal((got.body, got.length), (b"", 0))


@case(PUT, MUST)
async def places_are_unique(c: Client) -> None:
    """Each upload has a place of its own."""
    places = {(await begin(c)).partition("?")[0] for _ in range(5)}
    equal(len(places), 5)


@case("distribution: uploads", MUST)
async def post_names_the_upload(c: Client) -> None:
    """The answer to POST has the id of the upload and the range that is there."""
    got = expect(await c.request("POST", url(c, "blobs/uploads", "")), 202)
    holds(
        re.fullmatch("[A-Za-z0-9_.=-]+", got.header("Docker-Upload-UUID") or ""), "id"
    )
    equal(got.header("Range"), "0-0")


@case("distribution: uploads (ggcr)", MUST)
async def post_with_a_content_type(c: Client) -> None:
    """POST with a Content-Type of JSON and query keys nobody knows begins an upload."""
    path = url(c, "blobs/uploads", "?origin=x&y=z")
    got = await c.request("POST", path, b"", {"Content-Type": "application/json"})
    expect(got, 202)


@case(PUT, MUST)
async def put_makes_a_blob(c: Client) -> None:
    """PUT with the whole content and its digest is 201, with a Location to pull."""
    content = fresh(c)
    got = await finish(c, await begin(c), digest_of(content), content)
    await is_pullable(c, expect(got, 201), content)


@case(PUT, MUST)
async def put_tells_the_digest(c: Client) -> None:
    """The answer to PUT has the digest, and says that it has no body."""
    content = fresh(c)
    got = await finish(c, await begin(c), digest_of(content), content)
    equal(expect(got, 201).header("Docker-Content-Digest"), digest_of(content))
    equal((got.body, got.length), (b"", 0))


@case("distribution: uploads", MUST)
async def query_of_a_place_is_kept(c: Client) -> None:
    """The digest is added to whatever query the place has, in any order."""
    content = fresh(c)
    location = await begin(c)
    path, _, query = location.partition("?")
    location = f"{path}?digest={digest_of(content)}" + (f"&{query}" if query else "")
    expect(await c.request("PUT", location, content, {"Content-Type": OCTETS}), 201)


@case("distribution: uploads", MUST)
async def put_without_a_length(c: Client) -> None:
    """Content whose length is not announced is taken as well."""
    parts = [fresh(c, n) for n in range(10)]
    content = b"".join(parts)
    location = with_digest(await begin(c), digest_of(content))
    got = await c.request("PUT", location, Streamed(parts), {"Content-Type": OCTETS})
    await is_pullable(c, expect(got, 201), content)


@case("distribution: uploads", MUST)
async def put_without_a_content_type(c: Client) -> None:
    """PUT of content without a Content-Type is taken."""
    content = fresh(c)
    location = with_digest(await begin(c), digest_of(content))
    expect(await c.request("PUT", location, content), 201)


@case(PUT, MUST)
async def put_of_a_large_blob(c: Client) -> None:
    """A blob of some megabytes arrives as it was sent."""
    content = fresh(c, size=3_000_001)
    got = await finish(c, await begin(c), digest_of(content), content)
    await is_pullable(c, expect(got, 201), content)


@case(PUT, MUST)
async def put_of_an_empty_blob(c: Client) -> None:
    """A blob may have no bytes."""
    got = expect(await finish(c, await begin(c), digest_of(b""), b""), 201)
    await is_pullable(c, got, b"")
    asked = expect(await head(c, url(c, "blobs", digest_of(b""))), 200)
    equal(asked.length, 0, "Content-Length")


@case("distribution: uploads", MUST)
async def put_with_another_digest(c: Client) -> None:
    """Content that its digest does not name is DIGEST_INVALID, and no blob."""
    content = fresh(c)
    refused(await finish(c, await begin(c), NOBODY, content), 400, "DIGEST_INVALID")
    for digest in (NOBODY, digest_of(content)):
        expect(await get(c, url(c, "blobs", digest)), 404)


@case("distribution: uploads", MUST)
async def put_without_a_digest(c: Client) -> None:
    """PUT without a digest is refused, and the upload can still be completed."""
    content, location = fresh(c), await begin(c)
    got = await c.request("PUT", location, content, {"Content-Type": OCTETS})
    refused(got, 400, "DIGEST_INVALID")
    expect(await finish(c, location, digest_of(content), content), 201)


@case("main: Pushing blobs", SHOULD)
async def put_with_an_unknown_algorithm(c: Client) -> None:
    """A digest that is malformed or of an unknown algorithm is 400."""
    for digest in ("sha257:" + "0" * 64, "sha256:short", "x"):
        got = await finish(c, await begin(c), digest, fresh(c))
        refused(got, 400, "DIGEST_INVALID")


@case("distribution: uploads", MUST)
async def put_to_nowhere(c: Client) -> None:
    """An upload that was never begun is not known."""
    content = fresh(c)
    location = url(c, "blobs/uploads", "6b3c9a93-af5d-473f-a4ce-9710022185cd")
    got = await finish(c, location, digest_of(content), content)
    refused(got, 404, "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")


@case("distribution: uploads", MUST)
async def upload_of_another_repository(c: Client) -> None:
    """An upload belongs to the repository that it was begun in."""
    content = fresh(c)
    location = (await begin(c)).replace(c.name, f"{c.name}/other")
    got = await finish(c, location, digest_of(content), content)
    refused(got, 404, "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")


@case("distribution: uploads", MUST)
async def upload_with_another_state(c: Client) -> None:
    """A state that somebody else has made up is refused."""
    content = fresh(c)
    location = (await begin(c)).partition("?")[0] + "?_state=bm9uZQ"
    got = await finish(c, location, digest_of(content), content)
    refused(got, 404, "BLOB_UPLOAD_INVALID")


@case("distribution: uploads", MUST)
async def upload_with_the_state_of_another(c: Client) -> None:
    """The state of one upload does not go with another."""
    content = fresh(c)
    first, second = await begin(c), await begin(c)
    if "?" in first:
        location = f"{first.partition('?')[0]}?{second.partition('?')[2]}"
        got = await finish(c, location, digest_of(content), content)
        refused(got, 404, "BLOB_UPLOAD_INVALID")
    expect(await finish(c, first, digest_of(content), content), 201)


@case(PUT, MUST)
async def upload_ends_with_its_blob(c: Client) -> None:
    """What was completed cannot be gone on with."""
    content, location = fresh(c), await begin(c)
    expect(await finish(c, location, digest_of(content), content), 201)
    expect(await get(c, location), 404)
    refused(await finish(c, location, digest_of(content), content), 404)


@case(PUT, MUST)
async def push_again(c: Client) -> None:
    """A blob that is there already can be pushed again."""
    content = fresh(c)
    for _ in range(2):
        got = await finish(c, await begin(c), digest_of(content), content)
        await is_pullable(c, expect(got, 201), content)


@case("distribution: uploads", MUST)
async def push_to_two_repositories(c: Client) -> None:
    """What one repository has can be pushed to another, and is pulled from both."""
    content = fresh(c)
    for name in (c.name, f"{c.name}/other"):
        digest = await push_blob(c, content, name)
        expect(await get(c, url(c, "blobs", digest, name)), 200)


# One POST.


async def post(c: Client, digest: str, content: bytes) -> Response:
    """Push in one request."""
    path = with_digest(url(c, "blobs/uploads", ""), digest)
    return await c.request("POST", path, content, {"Content-Type": OCTETS})


@case(POST, MUST)
async def single_post(c: Client) -> None:
    """POST with content and digest is 201 with a Location to pull."""
    content = fresh(c, size=100_000)
    got = await post(c, digest_of(content), content)
    await is_pullable(c, expect(got, 201), content)
    equal(got.header("Docker-Content-Digest"), digest_of(content))


@case(POST, MUST)
async def single_post_of_nothing(c: Client) -> None:
    """POST of an empty blob is taken."""
    got = await post(c, digest_of(b""), b"")
    await is_pullable(c, expect(got, 201), b"")


@case(POST, MUST)
async def single_post_with_another_digest(c: Client) -> None:
    """POST of content that its digest does not name is refused, and no blob."""
    refused(await post(c, NOBODY, fresh(c)), 400, "DIGEST_INVALID")
    expect(await head(c, url(c, "blobs", NOBODY)), 404)


@case(POST, SHOULD)
async def single_post_with_a_malformed_digest(c: Client) -> None:
    """POST with something that is no digest is refused."""
    refused(await post(c, "sha257:abc", fresh(c)), 400, "DIGEST_INVALID")


# Other algorithms.


@case("main: Content Digests", MAY)
async def blob_by_sha512(c: Client) -> None:
    """A blob that was pushed with a sha512 is pulled with it."""
    content = fresh(c)
    digest = digest_of(content, "sha512")
    got = await finish(c, await begin(c), digest, content)
    equal(expect(got, 201).header("Docker-Content-Digest"), digest)
    await is_pullable(c, got, content)
    for ask in (get, head):
        found = expect(await ask(c, url(c, "blobs", digest)), 200)
        equal(found.header("Docker-Content-Digest"), digest)


@case("main: Content Digests", MAY)
async def single_post_by_sha512(c: Client) -> None:
    """One POST takes a sha512."""
    content = fresh(c)
    got = await post(c, digest_of(content, "sha512"), content)
    await is_pullable(c, expect(got, 201), content)


@case("main: Content Digests", MAY)
async def wrong_sha512(c: Client) -> None:
    """A sha512 is verified like any digest."""
    got = await finish(c, await begin(c), "sha512:" + "0" * 128, fresh(c))
    refused(got, 400, "DIGEST_INVALID")


@case("main: Content Digests", MAY)
async def blob_by_its_canonical_digest_too(c: Client) -> None:
    """What was pushed with a sha512 is known by its sha256 as well."""
    content = fresh(c)
    await push_blob(c, content, algorithm="sha512")
    got = expect(await get(c, url(c, "blobs", digest_of(content))), 200)
    equal(got.header("Docker-Content-Digest"), digest_of(content))


@case(DIGESTS, MAY)
async def digest_algorithm(c: Client) -> None:
    """POST may say of which algorithm the digest is going to be."""
    content = fresh(c)
    location = await begin(c, "?digest-algorithm=sha512")
    got = await finish(c, location, digest_of(content, "sha512"), content)
    await is_pullable(c, expect(got, 201), content)


@case(DIGESTS, MUST)
async def unknown_digest_algorithm(c: Client) -> None:
    """An algorithm that is not known is 400 before anything is sent."""
    path = url(c, "blobs/uploads", "?digest-algorithm=md5")
    refused(await c.request("POST", path), 400)


@case(DIGESTS, MUST)
async def digest_algorithm_of_chunks(c: Client) -> None:
    """A sha512 that was announced is verified over chunks as well."""
    content = fresh(c)
    location = await begin(c, "?digest-algorithm=sha512")
    headers = {"Content-Type": OCTETS, "Content-Range": "0-499"}
    got = expect(await c.request("PATCH", location, content[:500], headers), 202)
    digest = digest_of(content, "sha512")
    expect(await finish(c, place(got), digest, content[500:]), 201)
    expect(await head(c, url(c, "blobs", digest)), 200)


# Mounting.


async def mount(c: Client, query: str) -> Response:
    """Ask for a mount."""
    return await c.request("POST", url(c, "blobs/uploads", f"?{query}"))


@case(MOUNT, MUST)
async def mount_from_another_repository(c: Client) -> None:
    """A blob of another repository is mounted without being sent: 201, Location."""
    content = fresh(c)
    digest = await push_blob(c, content, f"{c.name}/source")
    got = expect(await mount(c, f"mount={digest}&from={c.name}/source"), 201)
    await is_pullable(c, got, content)
    holds(c.name in place(got), "the Location is not in the target")
    holds(f"{c.name}/source" not in place(got), "the Location is in the source")


@case(MOUNT, SHOULD)
async def mount_tells_the_digest(c: Client) -> None:
    """The answer to a mount has the digest of the blob."""
    digest = await push_blob(c, fresh(c), f"{c.name}/source")
    got = expect(await mount(c, f"mount={digest}&from={c.name}/source"), 201)
    equal(got.header("Docker-Content-Digest"), digest)


@case(MOUNT, MUST)
async def mount_outlives_its_source(c: Client) -> None:
    """What was mounted stays when the source deletes it."""
    digest = await push_blob(c, fresh(c), f"{c.name}/source")
    expect(await mount(c, f"mount={digest}&from={c.name}/source"), 201)
    expect(await delete(c, url(c, "blobs", digest, f"{c.name}/source")), 202)
    expect(await get(c, url(c, "blobs", digest)), 200)


@case(MOUNT, MUST)
async def mount_of_what_is_not_there(c: Client) -> None:
    """A blob that cannot be mounted gets an upload instead: 202 with a Location."""
    content = fresh(c)
    got = await mount(c, f"mount={digest_of(content)}&from={c.name}/source")
    location = place(expect(got, 202))
    expect(await finish(c, location, digest_of(content), content), 201)


@case(MOUNT, MUST)
async def mount_from_where_it_is_not(c: Client) -> None:
    """from is taken at its word: a blob that is elsewhere is not mounted."""
    digest = await push_blob(c, fresh(c), f"{c.name}/source")
    expect(await mount(c, f"mount={digest}&from={c.name}/elsewhere"), 202)


@case(MOUNT, MUST)
async def mount_from_itself(c: Client) -> None:
    """A repository may mount what it has."""
    content = fresh(c)
    digest = await push_blob(c, content)
    got = expect(await mount(c, f"mount={digest}&from={c.name}"), 201)
    await is_pullable(c, got, content)


@case("main: Content Digests", MAY)
async def mount_by_sha512(c: Client) -> None:
    """A blob that was pushed with a sha512 is mounted and pulled by it."""
    content = fresh(c)
    digest = await push_blob(c, content, f"{c.name}/source", "sha512")
    got = expect(await mount(c, f"mount={digest}&from={c.name}/source"), 201)
    equal(got.header("Docker-Content-Digest"), digest)
    await is_pullable(c, got, content)


@case("Mounting: automatic content discovery", MAY)
async def mount_without_from(c: Client) -> None:
    """Without from, a blob that some repository holds is found and mounted."""
    content = fresh(c)
    digest = await push_blob(c, content, f"{c.name}/source")
    await is_pullable(c, expect(await mount(c, f"mount={digest}"), 201), content)


@case("Mounting: automatic content discovery", MUST)
async def mount_without_from_of_what_is_nowhere(c: Client) -> None:
    """Without from, a blob that nobody holds gets an upload: 202."""
    place(expect(await mount(c, f"mount={digest_of(fresh(c))}"), 202))


@case("distribution: mounting", MUST)
async def mount_with_malformed_names(c: Client) -> None:
    """A digest or a source that is malformed gets an upload: 202."""
    digest = await push_blob(c, fresh(c), f"{c.name}/source")
    for query in ("mount=x&from=a/b", f"mount={digest}&from=UPPER", "from=a/b"):
        place(expect(await mount(c, query), 202))


@case("distribution: mounting (podman)", MUST)
async def cancel_after_a_mount_that_failed(c: Client) -> None:
    """The upload that a failed mount began can be thrown away."""
    got = await mount(c, f"mount={NOBODY}&from={c.name}/source")
    expect(await delete(c, place(expect(got, 202))), 204)


@case("distribution: mounting", MUST)
async def mounted_blob_makes_an_image(c: Client) -> None:
    """A manifest may refer to what was mounted."""
    config, layer = b'{"os": "linux"}', fresh(c)
    for content in (config, layer):
        digest = await push_blob(c, content, f"{c.name}/source")
        expect(await mount(c, f"mount={digest}&from={c.name}/source"), 201)
    value = image(descriptor(config, OCI_CONFIG), descriptor(layer))
    expect(await put(c, document(value), "v1"), 201)
