"""Deleting tags, manifests and blobs, and where nothing may be deleted or changed."""

from __future__ import annotations

import json

from tests.conformance.client import Client, Withheld
from tests.conformance.content import (
    NOBODY,
    OCI_INDEX,
    OCI_MANIFEST,
    OCTETS,
    delete,
    digest_of,
    fresh,
    get,
    head,
    index,
    push,
    push_blob,
    push_image,
    put,
    url,
)
from tests.conformance.form import (
    CACHE,
    MAY,
    MUST,
    NO_DELETES,
    READ_ONLY,
    case,
    equal,
    expect,
    refused,
)

TAGS = "Deleting tags"
MANIFESTS = "Deleting Manifests"
BLOBS = "Deleting Blobs"


@case(TAGS, MUST)
async def tag(c: Client) -> None:
    """DELETE of a tag is 202, and the tag is 404 from then on."""
    await push_image(c, "v1")
    path = url(c, "manifests", "v1")
    equal(expect(await delete(c, path), 202).body, b"")
    refused(await get(c, path), 404, "MANIFEST_UNKNOWN")
    expect(await head(c, path), 404)


@case(TAGS, MUST)
async def tag_alone(c: Client) -> None:
    """The manifest and its other tags stay when a tag goes."""
    pushed = await push_image(c, "v1")
    expect(await put(c, pushed, "v2"), 201)
    expect(await delete(c, url(c, "manifests", "v1")), 202)
    for reference in ("v2", pushed.digest):
        equal((await get(c, url(c, "manifests", reference))).body, pushed.content)


@case(TAGS, MUST)
async def unknown_tag(c: Client) -> None:
    """A tag that is not there cannot be deleted: 404."""
    await push_image(c, "v1")
    path = url(c, "manifests", "v2")
    refused(await delete(c, path), 404, "MANIFEST_UNKNOWN")


@case(TAGS, MUST)
async def tag_twice(c: Client) -> None:
    """A tag is deleted once; then it is 404."""
    await push_image(c, "v1")
    path = url(c, "manifests", "v1")
    expect(await delete(c, path), 202)
    refused(await delete(c, path), 404, "MANIFEST_UNKNOWN")


@case(TAGS, MUST)
async def tag_of_an_unknown_repository(c: Client) -> None:
    """A tag of a repository that is not there is 404."""
    got = await delete(c, url(c, "manifests", "v1"))
    refused(got, 404, "MANIFEST_UNKNOWN", "NAME_UNKNOWN")


@case("distribution: deletes", MUST)
async def tag_again(c: Client) -> None:
    """A tag that was deleted can be pushed again."""
    pushed = await push_image(c, "v1")
    expect(await delete(c, url(c, "manifests", "v1")), 202)
    expect(await put(c, pushed, "v1"), 201)
    equal((await get(c, url(c, "manifests", "v1"))).body, pushed.content)


@case(MANIFESTS, MUST)
async def manifest(c: Client) -> None:
    """DELETE of a manifest is 202, and it is 404 from then on."""
    pushed = await push_image(c)
    path = url(c, "manifests", pushed.digest)
    equal(expect(await delete(c, path), 202).body, b"")
    refused(await get(c, path), 404, "MANIFEST_UNKNOWN")
    expect(await head(c, path), 404)


@case(MANIFESTS, MUST)
async def manifest_with_tags(c: Client) -> None:
    """All tags that stand for a manifest go with it, and no others."""
    pushed, other = await push_image(c, "v1", 1), await push_image(c, "other", 2)
    expect(await put(c, pushed, "v2"), 201)
    expect(await delete(c, url(c, "manifests", pushed.digest)), 202)
    for gone in ("v1", "v2"):
        refused(await get(c, url(c, "manifests", gone)), 404, "MANIFEST_UNKNOWN")
    equal((await get(c, url(c, "manifests", "other"))).body, other.content)
    listed = expect(await get(c, url(c, "tags", "list")), 200)
    equal(listed.json()["tags"], ["other"])


@case("distribution: deletes", MUST)
async def manifest_that_a_tag_has_left(c: Client) -> None:
    """A tag that was moved on does not go with what it once stood for."""
    old, new = await push_image(c, "v1", 1), await push_image(c, "v1", 2)
    expect(await delete(c, url(c, "manifests", old.digest)), 202)
    equal((await get(c, url(c, "manifests", "v1"))).body, new.content)


@case(MANIFESTS, MUST)
async def unknown_manifest(c: Client) -> None:
    """A manifest that is not there cannot be deleted: 404."""
    await push_image(c, "v1")
    got = await delete(c, url(c, "manifests", NOBODY))
    refused(got, 404, "MANIFEST_UNKNOWN")


@case(MANIFESTS, MUST)
async def manifest_twice(c: Client) -> None:
    """A manifest is deleted once; then it is 404."""
    path = url(c, "manifests", (await push_image(c)).digest)
    expect(await delete(c, path), 202)
    refused(await delete(c, path), 404, "MANIFEST_UNKNOWN")


@case(MANIFESTS, MUST)
async def manifest_of_an_unknown_repository(c: Client) -> None:
    """A manifest of a repository that is not there is 404."""
    got = await delete(c, url(c, "manifests", NOBODY))
    refused(got, 404, "MANIFEST_UNKNOWN", "NAME_UNKNOWN")


@case("distribution: deletes", MUST)
async def manifest_by_a_malformed_digest(c: Client) -> None:
    """A digest that is none is DIGEST_INVALID."""
    for digest in ("sha256:x", "sha257:" + "0" * 64):
        got = await delete(c, url(c, "manifests", digest))
        refused(got, 400, "DIGEST_INVALID")


@case("distribution: deletes", MUST)
async def manifest_again(c: Client) -> None:
    """A manifest that was deleted can be pushed again: its blobs are there."""
    pushed = await push_image(c, "v1")
    expect(await delete(c, url(c, "manifests", pushed.digest)), 202)
    expect(await put(c, pushed, "v1"), 201)
    equal((await get(c, url(c, "manifests", "v1"))).body, pushed.content)


@case("distribution: deletes", MUST)
async def manifest_leaves_its_blobs(c: Client) -> None:
    """The layers of a manifest that was deleted can be pulled until collected."""
    pushed = await push_image(c)
    expect(await delete(c, url(c, "manifests", pushed.digest)), 202)
    for layer in json.loads(pushed.content)["layers"]:
        expect(await get(c, url(c, "blobs", layer["digest"])), 200)


@case("distribution: deletes", MUST)
async def index_leaves_its_children(c: Client) -> None:
    """The children of an index that was deleted stay."""
    child = await push_image(c)
    parent = await push(c, index(child.descriptor()), "v1", OCI_INDEX)
    expect(await delete(c, url(c, "manifests", parent.digest)), 202)
    expect(await get(c, url(c, "manifests", child.digest)), 200)


@case("distribution: deletes", MUST)
async def manifest_of_one_repository(c: Client) -> None:
    """A manifest that two repositories hold is deleted from one."""
    pushed, other = await push_image(c, "v1"), f"{c.name}/other"
    value = json.loads(pushed.content)
    for blob in (value["config"], *value["layers"]):
        got = await get(c, url(c, "blobs", blob["digest"]))
        await push_blob(c, got.body, other)
    expect(await put(c, pushed, "v1", other), 201)
    expect(await delete(c, url(c, "manifests", pushed.digest)), 202)
    found = expect(await get(c, url(c, "manifests", "v1", other)), 200)
    equal(found.body, pushed.content)


@case(BLOBS, MUST)
async def blob(c: Client) -> None:
    """DELETE of a blob is 202, and it is 404 from then on."""
    path = url(c, "blobs", await push_blob(c, fresh(c)))
    got = expect(await delete(c, path), 202)
    equal((got.body, got.length), (b"", 0))
    refused(await get(c, path), 404, "BLOB_UNKNOWN")
    expect(await head(c, path), 404)


@case(BLOBS, MUST)
async def blob_that_was_pulled(c: Client) -> None:
    """Who has just asked for a blob does not find it when it has been deleted."""
    path = url(c, "blobs", await push_blob(c, fresh(c)))
    expect(await head(c, path), 200)
    expect(await get(c, path), 200)
    expect(await delete(c, path), 202)
    expect(await head(c, path), 404)


@case(BLOBS, MUST)
async def unknown_blob(c: Client) -> None:
    """A blob that is not there cannot be deleted: 404."""
    await push_blob(c, fresh(c))
    refused(await delete(c, url(c, "blobs", NOBODY)), 404, "BLOB_UNKNOWN")


@case(BLOBS, MUST)
async def blob_twice(c: Client) -> None:
    """A blob is deleted once; then it is 404."""
    path = url(c, "blobs", await push_blob(c, fresh(c)))
    expect(await delete(c, path), 202)
    refused(await delete(c, path), 404, "BLOB_UNKNOWN")


@case("distribution: deletes", MUST)
async def blob_by_a_malformed_digest(c: Client) -> None:
    """A digest that is none is DIGEST_INVALID."""
    got = await delete(c, url(c, "blobs", "sha257:" + "0" * 64))
    refused(got, 400, "DIGEST_INVALID")


@case("distribution: deletes", MUST)
async def blob_again(c: Client) -> None:
    """A blob that was deleted can be pushed again."""
    digest = await push_blob(c, fresh(c))
    expect(await delete(c, url(c, "blobs", digest)), 202)
    await push_blob(c, fresh(c))
    equal((await get(c, url(c, "blobs", digest))).body, fresh(c))


@case("distribution: deletes", MUST)
async def blob_of_one_repository(c: Client) -> None:
    """A blob that two repositories hold is deleted from one."""
    other = f"{c.name}/other"
    digest = await push_blob(c, fresh(c))
    await push_blob(c, fresh(c), other)
    expect(await delete(c, url(c, "blobs", digest)), 202)
    expect(await get(c, url(c, "blobs", digest)), 404)
    expect(await get(c, url(c, "blobs", digest, other)), 200)


@case("main: Content Digests", MUST)
async def blob_by_sha512(c: Client) -> None:
    """A blob that was pushed with a sha512 is deleted by it."""
    digest = await push_blob(c, fresh(c), algorithm="sha512")
    expect(await delete(c, url(c, "blobs", digest)), 202)
    expect(await get(c, url(c, "blobs", digest)), 404)


@case("main: Content Digests", MUST)
async def manifest_by_sha512(c: Client) -> None:
    """A manifest that was pushed with a sha512 is deleted by it, with its tags."""
    pushed = await push_image(c)
    digest = digest_of(pushed.content, "sha512")
    expect(await put(c, pushed, digest, query="?tag=a"), 201)
    expect(await delete(c, url(c, "manifests", digest)), 202)
    expect(await get(c, url(c, "manifests", digest)), 404)
    expect(await get(c, url(c, "manifests", "a")), 404)


# Where it is not allowed.


@case(TAGS, MAY, NO_DELETES)
async def tag_where_it_is_disabled(c: Client) -> None:
    """Where deleting is disabled a tag is 405 UNSUPPORTED and stays."""
    pushed = await push_image(c, "v1")
    refused(await delete(c, url(c, "manifests", "v1")), 405, "UNSUPPORTED")
    equal((await get(c, url(c, "manifests", "v1"))).body, pushed.content)


@case(MANIFESTS, MAY, NO_DELETES)
async def manifest_where_it_is_disabled(c: Client) -> None:
    """Where deleting is disabled a manifest is 405 UNSUPPORTED and stays."""
    pushed = await push_image(c, "v1")
    path = url(c, "manifests", pushed.digest)
    refused(await delete(c, path), 405, "UNSUPPORTED")
    equal((await get(c, path)).body, pushed.content)


@case(BLOBS, MAY, NO_DELETES)
async def blob_where_it_is_disabled(c: Client) -> None:
    """Where deleting is disabled a blob is 405 UNSUPPORTED and stays."""
    path = url(c, "blobs", await push_blob(c, fresh(c)))
    refused(await delete(c, path), 405, "UNSUPPORTED")
    expect(await get(c, path), 200)


@case("main: Cancel a blob upload", MUST, NO_DELETES)
async def upload_where_deleting_is_disabled(c: Client) -> None:
    """To throw an upload away is part of pushing, and always allowed."""
    got = expect(await c.request("POST", url(c, "blobs/uploads", "")), 202)
    expect(await delete(c, got.header("Location") or ""), 204)


async def changes_nothing(c: Client) -> None:
    """Say that every request that would change something is 405 with JSON."""
    upload = url(c, "blobs/uploads", "6b3c9a93-af5d-473f-a4ce-9710022185cd")
    kinds = {"Content-Type": OCI_MANIFEST}, {"Content-Type": OCTETS}
    for method, path, body, headers in (
        ("POST", url(c, "blobs/uploads", ""), None, None),
        ("POST", url(c, "blobs/uploads", f"?mount={NOBODY}&from=a/b"), None, None),
        ("PATCH", upload, b"x", kinds[1]),
        ("PUT", f"{upload}?digest={NOBODY}", b"x", kinds[1]),
        ("DELETE", upload, None, None),
        ("PUT", url(c, "manifests", "v1"), b"{}", kinds[0]),
        ("PUT", url(c, "manifests", NOBODY), b"{}", kinds[0]),
        ("DELETE", url(c, "manifests", "v1"), None, None),
        ("DELETE", url(c, "manifests", NOBODY), None, None),
        ("DELETE", url(c, "blobs", NOBODY), None, None),
    ):
        refused(await c.request(method, path, body, headers), 405, "UNSUPPORTED")


@case("distribution: storage.maintenance.readonly", MUST, READ_ONLY)
async def read_only(c: Client) -> None:
    """A registry that is read-only answers every change with 405 UNSUPPORTED."""
    await changes_nothing(c)
    expect(await get(c, "/v2/"), 200)
    refused(await get(c, url(c, "manifests", "v1")), 404)


@case("distribution: storage.maintenance.readonly", MUST, READ_ONLY)
async def read_only_before_the_body(c: Client) -> None:
    """A change that is not allowed is answered before its body is read."""
    path = f"{url(c, 'blobs/uploads', '')}?digest={NOBODY}"
    got = await c.request("POST", path, Withheld(10**9), {"Content-Type": OCTETS})
    refused(got, 405, "UNSUPPORTED")


@case("distribution: cache mode", MUST, CACHE)
async def cache(c: Client) -> None:
    """A pull-through cache answers every change with 405 UNSUPPORTED."""
    await changes_nothing(c)
    expect(await get(c, "/v2/"), 200)
