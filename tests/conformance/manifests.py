"""Pushing manifests: by tag, by digest, with tags beside it, of every kind."""

from __future__ import annotations

import json

from tests.conformance.client import Client, Streamed, Withheld
from tests.conformance.content import (
    DOCKER_CONFIG,
    DOCKER_FOREIGN,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    NOBODY,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    Document,
    blobs_of,
    descriptor,
    digest_of,
    document,
    fresh,
    get,
    image,
    index,
    place,
    push,
    push_blob,
    push_docker_image,
    push_image,
    put,
    url,
)
from tests.conformance.form import (
    LENIENT,
    MAY,
    MUST,
    SHOULD,
    case,
    equal,
    expect,
    holds,
    refused,
)

PUSH = "Pushing Manifests"
SUBJECT = "Pushing Manifests with Subject"
TAGS = "main: Pushing Manifests, tag parameters"
CHECKS = "distribution: verification of manifests"
LIMIT = 4 * 1024 * 1024


async def ready(client: Client, **fields: object) -> Document:
    """Push the blobs of an image and give its manifest, which is not pushed."""
    config, layer = await blobs_of(client)
    value = image(descriptor(config, OCI_CONFIG), descriptor(layer), **fields)
    return document(value)


async def padded(client: Client, size: int) -> bytes:
    """Give an image manifest of exactly so many bytes, whose blobs are there."""
    config, layer = await blobs_of(client)
    value = image(
        descriptor(config, OCI_CONFIG), descriptor(layer), annotations={"pad": ""}
    )
    value["annotations"]["pad"] = "x" * (size - len(json.dumps(value)))
    return json.dumps(value).encode()


@case(PUSH, MUST)
async def put_by_tag(c: Client) -> None:
    """PUT of a manifest by tag is 201 with a Location to pull."""
    pushed = await ready(c)
    got = expect(await put(c, pushed, "v1"), 201)
    found = expect(await get(c, place(got)), 200)
    equal(found.body, pushed.content)


@case(PUSH, MUST)
async def put_by_digest(c: Client) -> None:
    """PUT of a manifest by digest is 201 with a Location to pull."""
    pushed = await ready(c)
    got = expect(await put(c, pushed), 201)
    equal(expect(await get(c, place(got)), 200).body, pushed.content)


@case("main: Pushing Manifests", MUST)
async def put_tells_the_digest(c: Client) -> None:
    """The answer to a PUT has the digest of the manifest, and no body."""
    pushed = await ready(c)
    for reference in ("v1", pushed.digest):
        got = expect(await put(c, pushed, reference), 201)
        equal(got.header("Docker-Content-Digest"), pushed.digest)
        equal((got.body, got.length), (b"", 0))


@case(PUSH, MUST)
async def bytes_are_kept(c: Client) -> None:
    """A manifest is stored as the very bytes that were sent."""
    config, layer = await blobs_of(c)
    value = image(descriptor(config, OCI_CONFIG), descriptor(layer), zzz={"ä": [1.50]})
    text = json.dumps(value, ensure_ascii=False, indent=7) + "\n\n \t"
    pushed = Document(text.encode(), OCI_MANIFEST, digest_of(text.encode()))
    expect(await put(c, pushed, "v1"), 201)
    equal((await get(c, url(c, "manifests", "v1"))).body, pushed.content)
    equal((await get(c, url(c, "manifests", pushed.digest))).body, pushed.content)


@case(PUSH, MUST)
async def put_by_another_digest(c: Client) -> None:
    """A digest that does not name the content is DIGEST_INVALID, and no manifest."""
    pushed = await ready(c)
    refused(await put(c, pushed, NOBODY), 400, "DIGEST_INVALID")
    expect(await get(c, url(c, "manifests", NOBODY)), 404)
    expect(await get(c, url(c, "manifests", pushed.digest)), 404)


@case("main: Pushing Manifests", SHOULD)
async def put_by_a_malformed_digest(c: Client) -> None:
    """A digest that is malformed or of an unknown algorithm is 400."""
    pushed = await ready(c)
    for digest in ("sha256:abc", "sha257:" + "0" * 64, pushed.digest.upper()):
        refused(await put(c, pushed, digest), 400, "DIGEST_INVALID")


@case("main: Content Digests", MAY)
async def put_by_sha512(c: Client) -> None:
    """A manifest may be pushed and pulled by its sha512."""
    pushed = await ready(c)
    digest = digest_of(pushed.content, "sha512")
    got = expect(await put(c, pushed, digest), 201)
    equal(got.header("Docker-Content-Digest"), digest)
    found = expect(await get(c, url(c, "manifests", digest)), 200)
    equal(found.body, pushed.content)
    equal(found.header("Docker-Content-Digest"), digest)


@case("main: Content Digests", MUST)
async def put_by_a_wrong_sha512(c: Client) -> None:
    """The sha512 of a manifest is verified."""
    pushed = await ready(c)
    refused(await put(c, pushed, "sha512:" + "0" * 128), 400, "DIGEST_INVALID")


@case("main: Content Digests", MAY)
async def parts_by_sha512(c: Client) -> None:
    """A manifest may name its parts, and an index its children, by sha512."""
    config, layer = b'{"os": "linux"}', fresh(c)
    for content in (config, layer):
        await push_blob(c, content, algorithm="sha512")
    value = image(
        {**descriptor(config, OCI_CONFIG), "digest": digest_of(config, "sha512")},
        {**descriptor(layer), "digest": digest_of(layer, "sha512")},
    )
    pushed = document(value)
    digest = digest_of(pushed.content, "sha512")
    expect(await put(c, pushed, digest), 201)
    child = {**pushed.descriptor(), "digest": digest}
    await push(c, index(child), "v1", OCI_INDEX)


@case(PUSH, MUST)
async def type_with_parameters(c: Client) -> None:
    """Parameters of a Content-Type are no part of the type of a manifest."""
    pushed = await ready(c)
    given = Document(pushed.content, f"{OCI_MANIFEST}; charset=utf-8", pushed.digest)
    expect(await put(c, given, "v1"), 201)
    got = expect(await get(c, url(c, "manifests", "v1")), 200)
    equal(got.header("Content-Type"), OCI_MANIFEST)


@case(PUSH, MUST)
async def tags_move(c: Client) -> None:
    """A tag stands for what it was last pushed with; the older manifest stays."""
    first = await push_image(c, "v1", 1)
    second = await push_image(c, "v1", 2)
    equal((await get(c, url(c, "manifests", "v1"))).body, second.content)
    equal((await get(c, url(c, "manifests", first.digest))).body, first.content)


@case(PUSH, MUST)
async def push_again(c: Client) -> None:
    """The same manifest can be pushed again, with the same answer."""
    pushed = await ready(c)
    places = {place(expect(await put(c, pushed, "v1"), 201)) for _ in range(3)}
    equal(len(places), 1)


@case(PUSH, MUST)
async def several_tags_of_one_manifest(c: Client) -> None:
    """One manifest may have any number of tags."""
    pushed = await ready(c)
    for tag in ("a", "b", "c"):
        expect(await put(c, pushed, tag), 201)
    for tag in ("a", "b", "c"):
        equal((await get(c, url(c, "manifests", tag))).body, pushed.content)


@case("Pulling manifests", MUST)
async def tags_of_the_grammar(c: Client) -> None:
    """Tags of up to 128 characters, in upper and lower case, are taken as they are."""
    pushed = await ready(c)
    for tag in ("a" * 128, "A", "_x", "0", "1.2.3-rc_4", "sha256-" + "0" * 64):
        expect(await put(c, pushed, tag), 201)
        expect(await get(c, url(c, "manifests", tag)), 200)
    expect(await get(c, url(c, "manifests", "A".lower())), 404)


@case("Pulling manifests", MUST)
async def tags_outside_the_grammar(c: Client) -> None:
    """What is no tag cannot be pushed to."""
    pushed = await ready(c)
    for tag in ("a" * 129, ".a", "-a", "a%20b", "a%2Bb", "a%40b"):
        refused(await put(c, pushed, tag), (400, 404))


@case(PUSH, SHOULD)
async def four_megabytes(c: Client) -> None:
    """A manifest of 4 MiB is taken, and pulled as it was."""
    content = await padded(c, LIMIT)
    pushed = Document(content, OCI_MANIFEST, digest_of(content))
    expect(await put(c, pushed, "v1"), 201)
    got = expect(await get(c, url(c, "manifests", "v1")), 200)
    equal(got.body == content, True, "the manifest is what was pushed")


@case(PUSH, SHOULD)
async def more_than_four_megabytes(c: Client) -> None:
    """A manifest that says it is larger is 413 before it is read."""
    headers = {"Content-Type": OCI_MANIFEST}
    path = url(c, "manifests", "v1")
    got = await c.request("PUT", path, Withheld(LIMIT + 1), headers)
    refused(got, 413, "MANIFEST_INVALID", "SIZE_INVALID")
    expect(await get(c, path), 404)


@case(PUSH, SHOULD)
async def more_than_four_megabytes_unannounced(c: Client) -> None:
    """A manifest that turns out to be larger is 413."""
    content = await padded(c, LIMIT + 1)
    path = url(c, "manifests", "v1")
    headers = {"Content-Type": OCI_MANIFEST}
    got = await c.request("PUT", path, Streamed([content]), headers)
    refused(got, 413, "MANIFEST_INVALID", "SIZE_INVALID")
    expect(await get(c, path), 404)


# Kinds.


@case(PUSH, MUST)
async def unknown_configuration(c: Client) -> None:
    """A configuration may be of any media type."""
    pushed = await push_image(c, "v1", config_kind="application/vnd.example.thing+json")
    expect(await get(c, url(c, "manifests", pushed.digest)), 200)


@case(PUSH, MUST)
async def unknown_layers(c: Client) -> None:
    """Layers may be of any media type."""
    config, layer = await blobs_of(c)
    value = image(
        descriptor(config, OCI_CONFIG), descriptor(layer, "text/x-example; a=b")
    )
    await push(c, value, "v1")


@case(PUSH, MUST)
async def artifact_with_the_empty_descriptor(c: Client) -> None:
    """An artifact may have the empty descriptor as configuration and as layer."""
    await push_blob(c, EMPTY)
    empty = descriptor(EMPTY, OCI_EMPTY, data="e30=")
    pushed = await push(c, image(empty, empty, artifactType="text/x-example"), "v1")
    equal((await get(c, url(c, "manifests", "v1"))).body, pushed.content)


@case(PUSH, MUST)
async def artifact_without_layers(c: Client) -> None:
    """An artifact may have no layers at all."""
    await push_blob(c, EMPTY)
    value = image(descriptor(EMPTY, OCI_EMPTY), artifactType="text/x-example")
    await push(c, value, "v1")


@case(PUSH, MUST)
async def unknown_fields(c: Client) -> None:
    """Fields that nobody knows are kept and harm nothing."""
    pushed = await push_image(c, "v1", **{"x-example": {"config": 1}})
    equal((await get(c, url(c, "manifests", "v1"))).body, pushed.content)


@case(PUSH, MUST)
async def oci_need_not_name_itself(c: Client) -> None:
    """An OCI manifest without mediaType is what its Content-Type says."""
    config, layer = await blobs_of(c)
    value = image(descriptor(config, OCI_CONFIG), descriptor(layer))
    del value["mediaType"]
    pushed = await push(c, value, "v1")
    got = expect(await get(c, url(c, "manifests", "v1")), 200)
    equal(got.header("Content-Type"), OCI_MANIFEST)
    nameless = index(pushed.descriptor())
    del nameless["mediaType"]
    await push(c, nameless, "i", OCI_INDEX)
    got = expect(await get(c, url(c, "manifests", "i")), 200)
    equal(got.header("Content-Type"), OCI_INDEX)


@case(PUSH, MUST)
async def index_of_images(c: Client) -> None:
    """An index of manifests that are there is taken and kept as it is."""
    children = [await push_image(c, "", n) for n in range(3)]
    value = index(
        *(
            child.descriptor(platform={"architecture": name, "os": "linux"})
            for child, name in zip(children, ("amd64", "arm64", "s390x"), strict=True)
        )
    )
    pushed = await push(c, value, "v1", OCI_INDEX)
    got = expect(await get(c, url(c, "manifests", "v1")), 200)
    equal((got.body, got.header("Content-Type")), (pushed.content, OCI_INDEX))


@case(PUSH, MUST)
async def index_of_nothing(c: Client) -> None:
    """An index may be empty."""
    await push(c, index(), "v1", OCI_INDEX)


@case(PUSH, MUST)
async def index_in_an_index(c: Client) -> None:
    """An index may have indexes in it."""
    inner = await push(
        c, index((await push_image(c)).descriptor()), kind=OCI_INDEX, reference="i"
    )
    await push(c, index(inner.descriptor()), "v1", OCI_INDEX)


@case("distribution: manifests", MUST)
async def docker_image(c: Client) -> None:
    """Docker's own manifests are taken and kept as they are."""
    pushed = await push_docker_image(c, "v1")
    got = expect(await get(c, url(c, "manifests", "v1"), Accept=DOCKER_MANIFEST), 200)
    equal((got.body, got.header("Content-Type")), (pushed.content, DOCKER_MANIFEST))


@case("distribution: manifests", MUST)
async def docker_list(c: Client) -> None:
    """Docker's manifest lists are taken and kept as they are."""
    child = await push_docker_image(c)
    platform = {"architecture": "amd64", "os": "linux"}
    value = index(child.descriptor(platform=platform), mediaType=DOCKER_LIST)
    pushed = await push(c, value, "v1", DOCKER_LIST)
    got = expect(await get(c, url(c, "manifests", "v1"), Accept=DOCKER_LIST), 200)
    equal((got.body, got.header("Content-Type")), (pushed.content, DOCKER_LIST))


# What is not taken.


@case(PUSH, MUST)
async def missing_layer(c: Client) -> None:
    """A layer that is not there is named in a MANIFEST_BLOB_UNKNOWN."""
    config, _ = await blobs_of(c)
    lost = descriptor(b"lost")
    value = document(image(descriptor(config, OCI_CONFIG), lost))
    got = await put(c, value, "v1")
    refused(got, (400, 404), "MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")
    holds(lost["digest"] in got.body.decode(), "the digest is not named")
    expect(await get(c, url(c, "manifests", "v1")), 404)


@case("distribution: verification of manifests", MUST)
async def every_missing_blob_is_named(c: Client) -> None:
    """All that is missing is told in one answer, an error for each."""
    lost = [descriptor(text, OCI_CONFIG) for text in (b"a", b"b", b"c")]
    got = await put(c, document(image(*lost)), "v1")
    refused(got, 400, "MANIFEST_BLOB_UNKNOWN")
    errors = got.json()["errors"]
    equal([error["code"] for error in errors], ["MANIFEST_BLOB_UNKNOWN"] * 3)
    for error, blob in zip(errors, lost, strict=True):
        holds(blob["digest"] in json.dumps(error["detail"]), f"{error} is another")


@case(CHECKS, MUST)
async def blobs_of_another_repository(c: Client) -> None:
    """What another repository holds does not count."""
    config, layer = b"{}", fresh(c)
    for content in (config, layer):
        await push_blob(c, content, f"{c.name}/other")
    value = image(descriptor(config, OCI_CONFIG), descriptor(layer))
    refused(await put(c, document(value), "v1"), 400, "MANIFEST_BLOB_UNKNOWN")


@case(PUSH, MAY)
async def index_with_a_missing_child(c: Client) -> None:
    """An index with a child that is not there is refused unless told otherwise."""
    child = await push_image(c)
    lost = {**child.descriptor(), "digest": NOBODY}
    value = document(index(child.descriptor(), lost), OCI_INDEX)
    got = await put(c, value, "v1")
    refused(got, (400, 404), "MANIFEST_BLOB_UNKNOWN")
    holds(NOBODY in got.body.decode(), "the digest is not named")


@case("distribution: validation.manifests.indexes", MUST, LENIENT)
async def sparse_index(c: Client) -> None:
    """An index with missing children is taken where no platform is asked for."""
    child = await push_image(c)
    lost = {**child.descriptor(), "digest": NOBODY}
    pushed = await push(c, index(child.descriptor(), lost), "v1", OCI_INDEX)
    equal((await get(c, url(c, "manifests", "v1"))).body, pushed.content)


@case(CHECKS, MUST)
async def malformed_documents(c: Client) -> None:
    """What is no JSON, or no manifest, is MANIFEST_INVALID."""
    headers = {"Content-Type": OCI_MANIFEST}
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"{}", b"\xff", b"[" * 100_000):
        got = await c.request("PUT", url(c, "manifests", "v1"), body, headers)
        refused(got, 400, "MANIFEST_INVALID")


@case(CHECKS, MUST)
async def malformed_fields(c: Client) -> None:
    """Fields of the wrong kind are refused, never a server error."""
    config, layer = await blobs_of(c)
    good = image(descriptor(config, OCI_CONFIG), descriptor(layer))
    for field, value in (
        ("config", []),
        ("config", None),
        ("layers", {}),
        ("layers", [1]),
        ("layers", [{**descriptor(layer), "size": -1}]),
        ("layers", [{**descriptor(layer), "size": "1"}]),
        ("layers", [{**descriptor(layer), "digest": "sha256:x"}]),
        ("annotations", {"a": 1}),
        ("subject", "x"),
        ("mediaType", 1),
    ):
        got = await put(c, document({**good, field: value}), "v1")
        refused(got, 400, "MANIFEST_INVALID", "DIGEST_INVALID")


@case(CHECKS, MUST)
async def type_of_another_document(c: Client) -> None:
    """A Content-Type that differs from the document's own type is MANIFEST_INVALID."""
    pushed = await ready(c)
    for kind in (OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST):
        other = Document(pushed.content, kind, pushed.digest)
        refused(await put(c, other, "v1"), 400, "MANIFEST_INVALID")


@case(CHECKS, MUST)
async def type_of_no_manifest(c: Client) -> None:
    """A Content-Type that is none of a manifest is MANIFEST_INVALID."""
    pushed = await ready(c)
    for kind in ("application/octet-stream", "text/html", "application/x-none"):
        other = Document(pushed.content, kind, pushed.digest)
        refused(await put(c, other, "v1"), 400, "MANIFEST_INVALID")


@case(CHECKS, MUST)
async def docker_has_to_name_itself(c: Client) -> None:
    """A Docker manifest without mediaType is MANIFEST_INVALID."""
    config, layer = await blobs_of(c)
    value = image(descriptor(config, DOCKER_CONFIG), descriptor(layer, DOCKER_LAYER))
    del value["mediaType"]
    refused(await put(c, document(value, DOCKER_MANIFEST)), 400, "MANIFEST_INVALID")


@case(CHECKS, MUST)
async def two_kinds_at_once(c: Client) -> None:
    """A document that is an image as well as an index is neither."""
    config, layer = await blobs_of(c)
    both = image(descriptor(config, OCI_CONFIG), descriptor(layer), manifests=[])
    for kind in (OCI_MANIFEST, OCI_INDEX):
        value = document({**both, "mediaType": kind}, kind)
        refused(await put(c, value, "v1"), 400, "MANIFEST_INVALID")


@case("distribution: validation.manifests.urls", MUST)
async def foreign_layer_by_default(c: Client) -> None:
    """A foreign layer is refused where no URL is allowed, and without a URL."""
    config, _ = await blobs_of(c)
    for more in ({}, {"urls": ["https://layers.example/a"]}, {"urls": ["ftp://a/"]}):
        layer = descriptor(b"foreign", DOCKER_FOREIGN, **more)
        value = image(
            descriptor(config, DOCKER_CONFIG), layer, mediaType=DOCKER_MANIFEST
        )
        got = await put(c, document(value, DOCKER_MANIFEST), "v1")
        refused(got, 400, "MANIFEST_INVALID")


@case("distribution: validation.manifests.urls", MUST, LENIENT)
async def foreign_layer_that_is_allowed(c: Client) -> None:
    """A foreign layer whose URL is allowed and not denied need not be there."""
    config, _ = await blobs_of(c)
    for address, status in (
        ("https://layers.example/a", 201),
        ("https://layers.example/secret/a", 400),
        ("https://layers.example/a#fragment", 400),
        ("https://elsewhere.example/a", 400),
    ):
        layer = descriptor(b"foreign", DOCKER_FOREIGN, urls=[address])
        value = image(
            descriptor(config, DOCKER_CONFIG), layer, mediaType=DOCKER_MANIFEST
        )
        got = await put(c, document(value, DOCKER_MANIFEST), "v1")
        equal(got.status, status, address)


@case("distribution: application/json (old clients)", MUST)
async def type_of_any_json(c: Client) -> None:
    """A manifest that is sent as JSON is what it says or shows that it is."""
    for kind in ("application/json", "application/json; charset=utf-8"):
        pushed = await ready(c)
        sent = Document(pushed.content, kind, pushed.digest)
        expect(await put(c, sent, "v1"), 201)
        got = expect(await get(c, url(c, "manifests", "v1")), 200)
        equal((got.body, got.header("Content-Type")), (pushed.content, OCI_MANIFEST))


@case("distribution: compatibility.schema1", MUST)
async def schema_1_by_default(c: Client) -> None:
    """A manifest of schema 1 is refused unless it is enabled."""
    value = {
        "schemaVersion": 1,
        "name": c.name,
        "tag": "v1",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": await push_blob(c, fresh(c))}],
        "history": [{"v1Compatibility": "{}"}],
        "signatures": [],
    }
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    got = await put(c, document(value, kind), "v1")
    refused(got, 400, "MANIFEST_INVALID", "MANIFEST_UNVERIFIED")


# A subject.


@case(SUBJECT, MUST)
async def subject_is_told(c: Client) -> None:
    """The answer to a push with a subject has its digest as OCI-Subject."""
    subject = await push_image(c, "v1")
    pushed = await ready(c, subject=subject.descriptor())
    for reference in ("v2", pushed.digest):
        got = expect(await put(c, pushed, reference), 201)
        equal(got.header("OCI-Subject"), subject.digest)


@case(SUBJECT, MUST)
async def no_subject_is_told_of(c: Client) -> None:
    """A push without a subject has no OCI-Subject in its answer."""
    got = expect(await put(c, await ready(c), "v1"), 201)
    equal(got.header("OCI-Subject"), None)


@case(SUBJECT, MUST)
async def subject_of_an_index(c: Client) -> None:
    """An index may have a subject as well."""
    subject = await push_image(c, "v1")
    value = document(index(subject=subject.descriptor()), OCI_INDEX)
    got = expect(await put(c, value, "i"), 201)
    equal(got.header("OCI-Subject"), subject.digest)


@case(SUBJECT, MUST)
async def subject_that_is_not_there(c: Client) -> None:
    """The subject need not be there."""
    lost = {"mediaType": OCI_MANIFEST, "digest": NOBODY, "size": 7}
    got = expect(await put(c, await ready(c, subject=lost), "v1"), 201)
    equal(got.header("OCI-Subject"), NOBODY)


@case(SUBJECT, MUST)
async def malformed_subject(c: Client) -> None:
    """A subject that is no descriptor is refused."""
    bad = {"mediaType": OCI_MANIFEST, "digest": "sha256:x", "size": 7}
    got = await put(c, await ready(c, subject=bad), "v1")
    refused(got, 400, "MANIFEST_INVALID", "DIGEST_INVALID")


# Tags beside a digest.


def tags_in(number: int) -> list[str]:
    """Give as many tags."""
    return [f"t{n:04}" for n in range(number)]


@case(TAGS, MAY)
async def tags_beside_a_digest(c: Client) -> None:
    """A push by digest may bring tags, each told in a line of OCI-Tag."""
    pushed = await ready(c)
    got = expect(await put(c, pushed, query="?tag=a&tag=b"), 201)
    equal(sorted(got.all("OCI-Tag")), ["a", "b"])
    for tag in ("a", "b"):
        equal((await get(c, url(c, "manifests", tag))).body, pushed.content)


@case(TAGS, MUST)
async def ten_tags(c: Client) -> None:
    """Ten tags at least are taken in one push."""
    tags = tags_in(10)
    got = await put(c, await ready(c), query="?tag=" + "&tag=".join(tags))
    equal(sorted(expect(got, 201).all("OCI-Tag")), tags)
    listed = (await get(c, url(c, "tags", "list"))).json()["tags"]
    equal(listed, tags)


@case(TAGS, MUST)
async def more_tags_than_are_taken(c: Client) -> None:
    """More tags than are taken are 414, and none of them is set in silence."""
    pushed = await ready(c)
    for number in (150, 1100):
        got = await put(c, pushed, query="?tag=" + "&tag=".join(tags_in(number)))
        if got.status == 201:
            told = f"tags told of {number}"
            equal(len(got.all("OCI-Tag")), number, told)
        else:
            refused(got, 414)


@case(TAGS, MUST)
async def malformed_tag_beside_a_digest(c: Client) -> None:
    """A tag that is none is refused, and nothing is pushed."""
    pushed = await ready(c)
    got = await put(c, pushed, query="?tag=good&tag=-bad")
    refused(got, 400, "TAG_INVALID")
    for reference in ("good", pushed.digest):
        expect(await get(c, url(c, "manifests", reference)), 404)


@case(TAGS, MUST)
async def no_tags_beside_a_digest(c: Client) -> None:
    """A push by digest alone sets no tag and tells of none."""
    got = expect(await put(c, await ready(c)), 201)
    equal(got.all("OCI-Tag"), [])


@case(TAGS, MUST)
async def one_tag_twice(c: Client) -> None:
    """A tag that is given twice is set once."""
    pushed = await ready(c)
    expect(await put(c, pushed, query="?tag=a&tag=a"), 201)
    equal((await get(c, url(c, "tags", "list"))).json()["tags"], ["a"])


@case(TAGS, MUST)
async def tags_beside_another_digest(c: Client) -> None:
    """A push whose digest is wrong sets no tag."""
    got = await put(c, await ready(c), NOBODY, query="?tag=a")
    refused(got, 400, "DIGEST_INVALID")
    expect(await get(c, url(c, "manifests", "a")), 404)


@case(TAGS, MUST)
async def tags_beside_a_sha512(c: Client) -> None:
    """A tag may stand for what was pushed by its sha512."""
    pushed = await ready(c)
    digest = digest_of(pushed.content, "sha512")
    got = expect(await put(c, pushed, digest, query="?tag=a"), 201)
    equal(got.all("OCI-Tag"), ["a"])
    found = expect(await get(c, url(c, "manifests", "a")), 200)
    equal(found.body, pushed.content)
    told = found.header("Docker-Content-Digest") or ""
    equal(told, digest_of(found.body, told.partition(":")[0]))
