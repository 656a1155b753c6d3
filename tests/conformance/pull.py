"""Pulling: manifests and blobs, whole, in parts, or not again."""

from __future__ import annotations

from tests.conformance.client import Client, Response
from tests.conformance.content import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    NOBODY,
    OCI_INDEX,
    OCI_MANIFEST,
    OCTETS,
    Document,
    digest_of,
    fresh,
    get,
    head,
    index,
    push,
    push_blob,
    push_docker_image,
    push_image,
    url,
)
from tests.conformance.form import MUST, SHOULD, case, equal, expect, holds, refused

MANIFESTS = "Pulling manifests"
BLOBS = "Pulling blobs"
EXISTS = "Checking if content exists in the registry"
RANGES = "distribution: ranges"
CONDITIONS = "distribution: conditional requests"
ACCEPT = "distribution: content negotiation"


def is_document(got: Response, pushed: Document) -> None:
    """Say that an answer is a manifest, described as it has to be."""
    expect(got, 200)
    equal(got.header("Content-Type"), pushed.kind)
    equal(got.header("Docker-Content-Digest"), pushed.digest)
    equal(got.length, len(pushed.content), "Content-Length")


@case(MANIFESTS, MUST)
async def manifest_by_tag(c: Client) -> None:
    """GET of a manifest by tag gives 200 and the bytes that were pushed."""
    pushed = await push_image(c, "v1")
    got = await get(c, url(c, "manifests", "v1"))
    is_document(got, pushed)
    equal(got.body, pushed.content)


@case(MANIFESTS, MUST)
async def manifest_by_digest(c: Client) -> None:
    """GET of a manifest by digest gives 200 and the bytes that were pushed."""
    pushed = await push_image(c)
    got = await get(c, url(c, "manifests", pushed.digest))
    is_document(got, pushed)
    equal(got.body, pushed.content)


@case(MANIFESTS, SHOULD)
async def content_type_is_what_was_pushed(c: Client) -> None:
    """Content-Type is the one that a manifest was pushed with."""
    oci = await push_image(c, "oci")
    docker = await push_docker_image(c, "docker")
    both = await push(c, index(oci.descriptor(), docker.descriptor()), "i", OCI_INDEX)
    for tag, pushed in (("oci", oci), ("docker", docker), ("i", both)):
        got = await get(c, url(c, "manifests", tag), Accept="*/*")
        equal(got.header("Content-Type"), pushed.kind, tag)


@case("main: Pulling manifests", MUST)
async def manifest_digest_header(c: Client) -> None:
    """The digest header of a manifest is the digest of its body."""
    await push_image(c, "v1")
    got = expect(await get(c, url(c, "manifests", "v1")), 200)
    equal(got.header("Docker-Content-Digest"), digest_of(got.body))


@case(MANIFESTS, MUST)
async def unknown_tag(c: Client) -> None:
    """A tag that is not there is 404."""
    await push_image(c, "v1")
    refused(await get(c, url(c, "manifests", "v2")), 404, "MANIFEST_UNKNOWN")


@case(MANIFESTS, MUST)
async def unknown_manifest_digest(c: Client) -> None:
    """A manifest that is not there is 404."""
    await push_image(c, "v1")
    refused(await get(c, url(c, "manifests", NOBODY)), 404, "MANIFEST_UNKNOWN")


@case(MANIFESTS, MUST)
async def manifest_of_unknown_repository(c: Client) -> None:
    """A manifest in a repository that is not there is 404."""
    got = await get(c, url(c, "manifests", "v1"))
    refused(got, 404, "MANIFEST_UNKNOWN", "NAME_UNKNOWN")


@case(MANIFESTS, MUST)
async def manifest_of_another_repository(c: Client) -> None:
    """A manifest is pulled from the repository that holds it and from no other."""
    pushed = await push_image(c, "v1")
    for reference in ("v1", pushed.digest):
        path = url(c, "manifests", reference, f"{c.name}/other")
        refused(await get(c, path), 404, "MANIFEST_UNKNOWN", "NAME_UNKNOWN")


@case(MANIFESTS, MUST)
async def malformed_digest_of_a_manifest(c: Client) -> None:
    """What looks like a digest and is none is refused, never a server error."""
    await push_image(c, "v1")
    for digest in ("sha256:abc", "sha257:" + "0" * 64, NOBODY.upper(), "x:y"):
        got = await get(c, url(c, "manifests", digest))
        refused(got, (400, 404), "DIGEST_INVALID", "MANIFEST_UNKNOWN")


@case("distribution: pulling manifests", MUST)
async def malformed_tag(c: Client) -> None:
    """What is no tag is refused, never a server error."""
    for tag in (".x", "-x", "a" * 129, "a%20b", "a%2Bb"):
        got = await get(c, url(c, "manifests", tag))
        refused(got, (400, 404), "TAG_INVALID", "MANIFEST_UNKNOWN")


@case(BLOBS, MUST)
async def blob(c: Client) -> None:
    """GET of a blob gives 200 and the bytes that were pushed."""
    content = fresh(c, size=100_000)
    got = expect(await get(c, url(c, "blobs", await push_blob(c, content))), 200)
    equal(got.body == content, True, "the body is the blob")
    equal(got.length, len(content), "Content-Length")


@case("main: Pulling blobs", MUST)
async def blob_digest_header(c: Client) -> None:
    """The digest header of a blob is the digest that was asked for."""
    digest = await push_blob(c, fresh(c))
    got = expect(await get(c, url(c, "blobs", digest)), 200)
    equal(got.header("Docker-Content-Digest"), digest)


@case(BLOBS, MUST)
async def unknown_blob(c: Client) -> None:
    """A blob that is not there is 404."""
    await push_blob(c, fresh(c))
    refused(await get(c, url(c, "blobs", NOBODY)), 404, "BLOB_UNKNOWN")


@case(BLOBS, MUST)
async def blob_of_unknown_repository(c: Client) -> None:
    """A blob in a repository that is not there is 404."""
    got = await get(c, url(c, "blobs", NOBODY))
    refused(got, 404, "BLOB_UNKNOWN", "NAME_UNKNOWN")


@case(BLOBS, MUST)
async def blob_of_another_repository(c: Client) -> None:
    """Who knows the digest of a blob does not get it from a repository without it."""
    digest = await push_blob(c, fresh(c))
    got = await get(c, url(c, "blobs", digest, f"{c.name}/other"))
    refused(got, 404, "BLOB_UNKNOWN", "NAME_UNKNOWN")


@case("distribution: blobs", MUST)
async def malformed_digest_of_a_blob(c: Client) -> None:
    """A malformed digest or one of an unknown algorithm is DIGEST_INVALID."""
    for digest in ("sha256:abc", "sha257:" + "0" * 64, "sha256:" + "A" * 64, "x"):
        refused(await get(c, url(c, "blobs", digest)), 400, "DIGEST_INVALID")


@case("distribution: blobs", MUST)
async def manifests_are_no_blobs(c: Client) -> None:
    """The bytes of a manifest are not among the blobs that clients can pull."""
    pushed = await push_image(c)
    refused(await get(c, url(c, "blobs", pushed.digest)), 404, "BLOB_UNKNOWN")


@case("distribution: blobs", MUST)
async def blobs_are_no_manifests(c: Client) -> None:
    """A blob cannot be pulled as a manifest."""
    digest = await push_blob(c, b'{"schemaVersion": 2}')
    refused(await get(c, url(c, "manifests", digest)), 404, "MANIFEST_UNKNOWN")


@case(EXISTS, MUST)
async def head_manifest_by_tag(c: Client) -> None:
    """HEAD of a manifest by tag gives all headers of a GET and no body."""
    pushed = await push_image(c, "v1")
    is_document(await head(c, url(c, "manifests", "v1")), pushed)


@case(EXISTS, MUST)
async def head_manifest_by_digest(c: Client) -> None:
    """HEAD of a manifest by digest gives all headers of a GET and no body."""
    pushed = await push_image(c)
    is_document(await head(c, url(c, "manifests", pushed.digest)), pushed)


@case(EXISTS, MUST)
async def head_blob(c: Client) -> None:
    """HEAD of a blob gives its length and its digest and no body."""
    digest = await push_blob(c, fresh(c))
    got = expect(await head(c, url(c, "blobs", digest)), 200)
    equal(got.length, 1000, "Content-Length")
    equal(got.header("Docker-Content-Digest"), digest)


@case(EXISTS, MUST)
async def head_unknown_manifest(c: Client) -> None:
    """HEAD of a manifest that is not there is 404 without a body."""
    for reference in ("v1", NOBODY):
        expect(await head(c, url(c, "manifests", reference)), 404)


@case(EXISTS, MUST)
async def head_unknown_blob(c: Client) -> None:
    """HEAD of a blob that is not there is 404 without a body."""
    expect(await head(c, url(c, "blobs", NOBODY)), 404)


@case("distribution: blobs", MUST)
async def blobs_are_octets(c: Client) -> None:
    """A blob is sent as octets, may be kept for ever, and has its digest as ETag."""
    digest = await push_blob(c, fresh(c))
    for ask in (get, head):
        got = expect(await ask(c, url(c, "blobs", digest)), 200)
        equal(got.header("Content-Type"), OCTETS)
        equal(got.header("ETag"), f'"{digest}"')
        equal(got.header("Cache-Control"), "max-age=31536000")
        equal(got.header("Accept-Ranges"), "bytes")


@case("distribution: manifests", MUST)
async def manifests_have_an_etag(c: Client) -> None:
    """The ETag of a manifest is its digest, quoted."""
    pushed = await push_image(c, "v1")
    for ask in (get, head):
        got = expect(await ask(c, url(c, "manifests", "v1")), 200)
        equal(got.header("ETag"), f'"{pushed.digest}"')


@case("distribution: blobs", MUST)
async def content_is_never_encoded(c: Client) -> None:
    """A client that takes compressed answers gets the stored bytes all the same."""
    await push_image(c, "v1")
    blob_path = url(c, "blobs", await push_blob(c, b"a" * 10_000))
    accepted = "zstd;q=1.0, gzip;q=0.8, deflate;q=0.5"
    for path in (blob_path, url(c, "manifests", "v1")):
        got = expect(await get(c, path, Accept_Encoding=accepted), 200)
        equal(got.header("Content-Encoding"), None)


@case("distribution: blobs", MUST)
async def blobs_are_not_redirected(c: Client) -> None:
    """A registry that stores blobs itself sends them itself."""
    digest = await push_blob(c, fresh(c))
    equal(expect(await get(c, url(c, "blobs", digest)), 200).header("Location"), None)


# Ranges.


async def part(c: Client, given: str, size: int = 1000, **more: str) -> Response:
    """Ask for part of a fresh blob."""
    digest = await push_blob(c, fresh(c, size=size))
    return await get(c, url(c, "blobs", digest), Range=given, **more)


def is_part(got: Response, content: bytes, start: int, end: int) -> None:
    """Say that an answer is one part of some content."""
    expect(got, 206)
    equal(got.header("Content-Range"), f"bytes {start}-{end - 1}/{len(content)}")
    equal(got.body == content[start:end], True, "the body is the part")
    equal(got.length, end - start, "Content-Length")


@case(BLOBS, SHOULD)
async def range_of_a_blob(c: Client) -> None:
    """A part of a blob comes as 206 with its Content-Range."""
    is_part(await part(c, "bytes=10-19"), fresh(c), 10, 20)


@case(BLOBS, SHOULD)
async def range_with_an_open_end(c: Client) -> None:
    """A download that broke goes on where it was."""
    is_part(await part(c, "bytes=900-"), fresh(c), 900, 1000)


@case(BLOBS, SHOULD)
async def range_from_the_end(c: Client) -> None:
    """The last bytes of a blob can be asked for."""
    is_part(await part(c, "bytes=-7"), fresh(c), 993, 1000)


@case(BLOBS, SHOULD)
async def range_of_more_than_there_is_from_the_end(c: Client) -> None:
    """More bytes from the end than there are is all of them."""
    is_part(await part(c, "bytes=-5000"), fresh(c), 0, 1000)


@case(BLOBS, SHOULD)
async def part_tells_the_digest_of_the_whole(c: Client) -> None:
    """The digest header of a part is the digest of the blob."""
    got = expect(await part(c, "bytes=0-0"), 206)
    equal(got.header("Docker-Content-Digest"), digest_of(fresh(c)))
    equal(got.header("ETag"), f'"{digest_of(fresh(c))}"')


@case("distribution: ranges (containerd)", SHOULD)
async def range_of_an_empty_blob(c: Client) -> None:
    """bytes=0- of a blob without bytes is that blob: to some clients 416 is fatal."""
    digest = await push_blob(c, b"")
    got = expect(await get(c, url(c, "blobs", digest), Range="bytes=0-"), 200)
    equal((got.body, got.length), (b"", 0))


@case("distribution: ranges (containerd)", MUST)
async def range_of_everything(c: Client) -> None:
    """bytes=0- is 206 with Content-Range, or a client gives up parallel fetching."""
    is_part(await part(c, "bytes=0-"), fresh(c), 0, 1000)


@case("distribution: ranges (containerd)", MUST)
async def range_of_a_manifest(c: Client) -> None:
    """bytes=0- is 206 on manifests as well."""
    pushed = await push_image(c, "v1")
    got = await get(c, url(c, "manifests", "v1"), Range="bytes=0-")
    is_part(got, pushed.content, 0, len(pushed.content))
    equal(got.header("Content-Type"), pushed.kind)
    equal(got.header("Docker-Content-Digest"), pushed.digest)


@case(RANGES, MUST)
async def range_beyond_the_end_is_cut(c: Client) -> None:
    """A part that ends beyond the blob ends with it."""
    is_part(await part(c, "bytes=990-5000"), fresh(c), 990, 1000)


@case(RANGES, MUST)
async def range_that_does_not_exist(c: Client) -> None:
    """A part that begins beyond the blob is 416 and says how long the blob is."""
    got = await part(c, "bytes=1000-")
    refused(got, 416)
    equal(got.header("Content-Range"), "bytes */1000")


@case("RFC 9110: ranges (distribution)", MUST)
async def range_that_ends_before_it_begins(c: Client) -> None:
    """A part that is none is 416, not the whole; on manifests as well."""
    for given in ("bytes=500-0", "bytes=9-3", "bytes=0-1,9-3"):
        got = await part(c, given)
        refused(got, 416)
        equal(got.header("Content-Range"), "bytes */1000")
    await push_image(c, "v1")
    refused(await get(c, url(c, "manifests", "v1"), Range="bytes=5-2"), 416)


@case(RANGES, MUST)
async def range_in_another_unit(c: Client) -> None:
    """A unit that is not known, or a malformed range, gets the whole."""
    digest = await push_blob(c, fresh(c))
    for given in ("lines=1-2", "bytes=x-y", "bytes", "bytes=-"):
        got = expect(await get(c, url(c, "blobs", digest), Range=given), 200)
        equal(got.body == fresh(c), True, given)


@case("distribution: ranges (zstd:chunked)", MUST)
async def several_ranges(c: Client) -> None:
    """Several parts come in one multipart answer, in order, none joined to another."""
    content = fresh(c)
    wanted = [(0, 10), (10, 20), (500, 510), (100, 101)]
    given = ",".join(f"{start}-{end - 1}" for start, end in wanted)
    got = expect(await part(c, f"bytes={given}"), 206)
    equal(parts_of(got), [(s, e, content[s:e]) for s, e in wanted])
    equal(got.length, len(got.body), "Content-Length")


@case("distribution: ranges (zstd:chunked)", MUST)
async def a_thousand_ranges(c: Client) -> None:
    """As many parts as chunked layers ask for are not too many."""
    content = fresh(c, size=20_000)
    given = ",".join(f"{n * 19}-{n * 19 + 8}" for n in range(1024))
    got = await part(c, f"bytes={given}", 20_000)
    expect(got, 206)
    expected = [(n * 19, n * 19 + 9, content[n * 19 : n * 19 + 9]) for n in range(1024)]
    equal(parts_of(got) == expected, True, "each part is there")


def parts_of(got: Response) -> list[tuple[int, int, bytes]]:
    """Take a multipart answer to pieces."""
    kind, _, boundary = (got.header("Content-Type") or "").partition("; boundary=")
    equal(kind, "multipart/byteranges")
    found = []
    for piece in got.body.split(b"--" + boundary.strip('"').encode())[1:-1]:
        fields, _, content = piece.partition(b"\r\n\r\n")
        line = next(x for x in fields.split(b"\r\n") if x.startswith(b"Content-Range"))
        start, _, end = line.split(b"bytes ")[1].split(b"/")[0].partition(b"-")
        found.append((int(start), int(end) + 1, content.removesuffix(b"\r\n")))
    return found


@case(RANGES, MUST)
async def head_takes_no_range(c: Client) -> None:
    """HEAD tells of the whole blob, whatever part is asked for."""
    digest = await push_blob(c, fresh(c))
    got = expect(await head(c, url(c, "blobs", digest), Range="bytes=0-1"), 200)
    equal(got.length, 1000, "Content-Length")


@case(RANGES, MUST)
async def if_range(c: Client) -> None:
    """A part comes if the blob is still the same, the whole otherwise."""
    digest = await push_blob(c, fresh(c))
    path = url(c, "blobs", digest)
    same = await get(c, path, Range="bytes=0-1", If_Range=f'"{digest}"')
    is_part(same, fresh(c), 0, 2)
    expect(await get(c, path, Range="bytes=0-1", If_Range='"other"'), 200)


# Conditional requests.


@case(CONDITIONS, MUST)
async def manifest_that_is_known(c: Client) -> None:
    """A client that has the manifest gets 304, its digest, and no body."""
    pushed = await push_image(c, "v1")
    for ask in (get, head):
        got = await ask(
            c, url(c, "manifests", "v1"), If_None_Match=f'"{pushed.digest}"'
        )
        equal(expect(got, 304).body, b"")
        equal(got.header("Docker-Content-Digest"), pushed.digest)
        equal(got.header("ETag"), f'"{pushed.digest}"')


@case(CONDITIONS, MUST)
async def manifest_that_has_changed(c: Client) -> None:
    """A client that has another manifest gets the new one."""
    pushed = await push_image(c, "v1")
    got = await get(c, url(c, "manifests", "v1"), If_None_Match=f'"{NOBODY}"')
    equal(expect(got, 200).body, pushed.content)


@case(CONDITIONS, MUST)
async def forms_of_entity_tags(c: Client) -> None:
    """Unquoted and weak tags, lists and the star count as well."""
    pushed = await push_image(c, "v1")
    tag = f'"{pushed.digest}"'
    for given in (pushed.digest, f"W/{tag}", f'"x", {tag}', "*"):
        got = await get(c, url(c, "manifests", "v1"), If_None_Match=given)
        equal(got.status, 304, given)


@case(CONDITIONS, MUST)
async def blob_that_is_known(c: Client) -> None:
    """A client that has the blob gets 304 and no body."""
    digest = await push_blob(c, fresh(c))
    for ask in (get, head):
        got = await ask(c, url(c, "blobs", digest), If_None_Match=f'"{digest}"')
        equal(expect(got, 304).body, b"")
        equal(got.header("ETag"), f'"{digest}"')


@case(CONDITIONS, MUST)
async def condition_on_what_is_not_there(c: Client) -> None:
    """No condition makes a manifest or a blob that is not there known."""
    for path in (url(c, "manifests", "v1"), url(c, "blobs", NOBODY)):
        expect(await get(c, path, If_None_Match="*"), 404)


# What a client accepts.


@case(ACCEPT, MUST)
async def no_accept_accepts_anything(c: Client) -> None:
    """A client that says nothing gets what there is."""
    pushed = await push_image(c, "v1")
    is_document(await get(c, url(c, "manifests", "v1")), pushed)


@case(ACCEPT, MUST)
async def wildcards_are_honoured(c: Client) -> None:
    """Stars accept whatever there is, also after other types."""
    pushed = await push_image(c, "v1")
    for given in ("*/*", "application/*", f"{DOCKER_MANIFEST}, */*;q=0.1"):
        is_document(await get(c, url(c, "manifests", "v1"), Accept=given), pushed)


@case(ACCEPT, MUST)
async def several_accept_lines(c: Client) -> None:
    """All lines of Accept count, as dockers send them."""
    pushed = await push_image(c, "v1")
    lines = [DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX]
    path = url(c, "manifests", "v1")
    is_document(await c.request("GET", path, None, {"Accept": lines}), pushed)


@case(ACCEPT, MUST)
async def one_long_accept_line(c: Client) -> None:
    """One line with parameters and without spaces is as good."""
    pushed = await push_image(c, "v1")
    given = f"{DOCKER_LIST},{OCI_INDEX};q=0.9,{OCI_MANIFEST};q=0.5"
    is_document(await get(c, url(c, "manifests", "v1"), Accept=given), pushed)


@case(ACCEPT, MUST)
async def oci_that_is_not_accepted(c: Client) -> None:
    """An OCI manifest that the client does not take is not found."""
    pushed = await push_image(c, "v1")
    for reference in ("v1", pushed.digest):
        path = url(c, "manifests", reference)
        refused(await get(c, path, Accept=DOCKER_MANIFEST), 404, "MANIFEST_UNKNOWN")


@case(ACCEPT, MUST)
async def quality_of_nothing(c: Client) -> None:
    """A type of quality 0 is not accepted, though a star would take it."""
    await push_image(c, "v1")
    given = f"{OCI_MANIFEST};q=0, */*"
    for ask in (get, head):
        expect(await ask(c, url(c, "manifests", "v1"), Accept=given), 404)


@case(ACCEPT, MUST)
async def docker_by_digest_is_sent_to_anybody(c: Client) -> None:
    """A Docker manifest by digest is sent whatever Accept says."""
    pushed = await push_docker_image(c)
    path = url(c, "manifests", pushed.digest)
    is_document(await get(c, path, Accept=OCI_MANIFEST), pushed)


@case(ACCEPT, MUST)
async def docker_list_by_tag_for_old_clients(c: Client) -> None:
    """Who asks for a Docker list by tag and takes no list gets its linux/amd64."""
    child = await push_docker_image(c)
    platform = {"architecture": "amd64", "os": "linux"}
    entry = child.descriptor(platform=platform)
    await push(c, index(entry, mediaType=DOCKER_LIST), "v1", DOCKER_LIST)
    got = await get(c, url(c, "manifests", "v1"), Accept=DOCKER_MANIFEST)
    is_document(got, child)
    equal(got.body, child.content)


@case(ACCEPT, MUST)
async def accept_never_changes_bytes(c: Client) -> None:
    """Whoever gets a manifest gets the bytes that its digest names."""
    pushed = await push_docker_image(c, "v1")
    for given in ("*/*", DOCKER_MANIFEST, f"{OCI_MANIFEST}, {DOCKER_MANIFEST}"):
        got = expect(await get(c, url(c, "manifests", "v1"), Accept=given), 200)
        equal(digest_of(got.body), pushed.digest)
        holds(got.header("Content-Type") == DOCKER_MANIFEST, "the type is changed")
