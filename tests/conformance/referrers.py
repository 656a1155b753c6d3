"""Listing referrers."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.conformance.client import Client, Response
from tests.conformance.content import (
    EMPTY,
    NOBODY,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    Document,
    delete,
    descriptor,
    digest_of,
    document,
    get,
    image,
    index,
    next_page,
    push,
    push_artifact,
    push_blob,
    push_image,
    put,
    url,
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

LIST = "Listing Referrers"
ENABLING = "Enabling the Referrers API"
SBOM, SIGNATURE = "application/vnd.example.sbom+json", "application/vnd.example.sig"


async def ask(c: Client, digest: str, artifact_type: str = "") -> Response:
    """List the referrers of a digest; the answer is an index."""
    kind = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
    got = expect(await get(c, url(c, "referrers", digest + kind)), 200)
    equal(got.header("Content-Type"), OCI_INDEX)
    value = got.json()
    equal((value["schemaVersion"], value["mediaType"]), (2, OCI_INDEX))
    return got


async def listed(c: Client, digest: str, artifact_type: str = "") -> dict[str, Any]:
    """Give the entries of a list by their digests."""
    entries = (await ask(c, digest, artifact_type)).json()["manifests"]
    found = {entry["digest"]: entry for entry in entries}
    equal(len(found), len(entries), "entries that come once")
    return found


@case(LIST, MUST)
async def no_referrers(c: Client) -> None:
    """A manifest that nothing refers to has an empty list, and is not 404."""
    pushed = await push_image(c, "v1")
    equal((await ask(c, pushed.digest)).json()["manifests"], [])


@case(LIST, MUST)
async def referrers_of_what_is_not_there(c: Client) -> None:
    """A digest that nothing has, in a repository that is there, has an empty list."""
    await push_image(c, "v1")
    equal(await listed(c, NOBODY), {})


@case("distribution: referrers (oras)", MUST)
async def referrers_in_an_unknown_repository(c: Client) -> None:
    """Who asks a fresh repository whether there is the API is told that there is."""
    equal(await listed(c, NOBODY), {})


@case(LIST, MUST)
async def malformed_digest(c: Client) -> None:
    """What is no digest is 400."""
    await push_image(c, "v1")
    for digest in ("v1", "sha256:x", "sha257:" + "0" * 64, NOBODY[:-1]):
        refused(await get(c, url(c, "referrers", digest)), 400, "DIGEST_INVALID")


@case("distribution: referrers (ggcr)", MUST)
async def content_type_is_exact(c: Client) -> None:
    """The type of a list is that of an index and nothing more."""
    got = await get(c, url(c, "referrers", NOBODY))
    equal(got.all("Content-Type"), [OCI_INDEX])


@case(LIST, MUST)
async def one_referrer(c: Client) -> None:
    """What refers to a manifest is listed with its type, digest and size."""
    subject = await push_image(c, "v1")
    artifact = await push_artifact(c, SBOM, subject)
    entry = (await listed(c, subject.digest))[artifact.digest]
    equal(entry["mediaType"], OCI_MANIFEST)
    equal(entry["size"], len(artifact.content))


@case(LIST, MUST)
async def artifact_type_is_told(c: Client) -> None:
    """An entry has the artifactType of its manifest."""
    subject = await push_image(c, "v1")
    artifact = await push_artifact(c, SBOM, subject)
    entry = (await listed(c, subject.digest))[artifact.digest]
    equal(entry["artifactType"], SBOM)


@case(LIST, MUST)
async def type_of_the_configuration_instead(c: Client) -> None:
    """Without artifactType an entry has the media type of the configuration."""
    subject = await push_image(c, "v1")
    typed = await push_image(c, "", 1, SIGNATURE, subject=subject.descriptor())
    plain = await push_image(c, "", 2, subject=subject.descriptor())
    found = await listed(c, subject.digest)
    equal(found[typed.digest]["artifactType"], SIGNATURE)
    equal(found[plain.digest]["artifactType"], OCI_CONFIG)


@case(LIST, MUST)
async def annotations_are_told(c: Client) -> None:
    """An entry has the annotations of its manifest."""
    subject = await push_image(c, "v1")
    notes = {"org.example.a": "1", "org.example.ü": 'quo"ted'}
    artifact = await push_artifact(c, SBOM, subject, annotations=notes)
    entry = (await listed(c, subject.digest))[artifact.digest]
    equal(entry["annotations"], notes)


@case(LIST, MUST)
async def index_as_a_referrer(c: Client) -> None:
    """An index may refer; without artifactType its entry has none."""
    subject = await push_image(c, "v1")
    bare = await push(c, index(subject=subject.descriptor()), kind=OCI_INDEX)
    typed = await push(
        c, index(subject=subject.descriptor(), artifactType=SBOM), kind=OCI_INDEX
    )
    found = await listed(c, subject.digest)
    equal(found[bare.digest]["mediaType"], OCI_INDEX)
    holds("artifactType" not in found[bare.digest], "an artifactType out of nowhere")
    equal(found[typed.digest]["artifactType"], SBOM)


@case(LIST, MUST)
async def index_as_a_subject(c: Client) -> None:
    """What refers to an index is listed for the index, not for its children."""
    child = await push_image(c)
    subject = await push(c, index(child.descriptor()), "v1", OCI_INDEX)
    artifact = await push_artifact(c, SBOM, subject)
    equal(set(await listed(c, subject.digest)), {artifact.digest})
    equal(await listed(c, child.digest), {})


@case(LIST, MUST)
async def several_referrers(c: Client) -> None:
    """All that refers to a manifest is listed, and nothing that refers to another."""
    first, second = await push_image(c, "v1", 1), await push_image(c, "v2", 2)
    expected = {(await push_artifact(c, kind, first)).digest for kind in (SBOM, "x/y")}
    await push_artifact(c, SIGNATURE, second)
    equal(set(await listed(c, first.digest)), expected)


@case(LIST, MUST)
async def referrers_of_a_referrer(c: Client) -> None:
    """A list has what refers to a manifest itself, not what refers to that."""
    subject = await push_image(c, "v1")
    artifact = await push_artifact(c, SBOM, subject)
    signature = await push_artifact(c, SIGNATURE, artifact)
    equal(set(await listed(c, subject.digest)), {artifact.digest})
    equal(set(await listed(c, artifact.digest)), {signature.digest})


@case(LIST, MUST)
async def subject_that_comes_later(c: Client) -> None:
    """What refers to a manifest that is not there yet is listed before and after."""
    lost = Document(b"", OCI_MANIFEST, NOBODY)
    artifact = await push_artifact(c, SBOM, subject=lost)
    equal(set(await listed(c, NOBODY)), {artifact.digest})
    subject = document(index(annotations={"of": c.name}), OCI_INDEX)
    second = await push_artifact(c, SBOM, subject=subject)
    equal(set(await listed(c, subject.digest)), {second.digest})
    expect(await put(c, subject, "v1"), 201)
    equal(set(await listed(c, subject.digest)), {second.digest})


@case(LIST, MUST)
async def referrers_of_one_repository(c: Client) -> None:
    """A repository lists what it holds itself."""
    subject = await push_image(c, "v1")
    await push_artifact(c, SBOM, subject)
    path = url(c, "referrers", subject.digest, f"{c.name}/other")
    equal(expect(await get(c, path), 200).json()["manifests"], [])


@case(LIST, MUST)
async def referrer_that_was_pushed_by_tag(c: Client) -> None:
    """It does not matter whether a referrer has a tag, nor how often it was pushed."""
    subject = await push_image(c, "v1")
    artifact = await push_artifact(c, SBOM, subject, "sbom")
    await push_artifact(c, SBOM, subject)
    equal(set(await listed(c, subject.digest)), {artifact.digest})


@case(LIST, SHOULD)
async def filtered_by_type(c: Client) -> None:
    """With artifactType only entries of that type are listed."""
    subject = await push_image(c, "v1")
    sbom = await push_artifact(c, SBOM, subject)
    await push_artifact(c, SIGNATURE, subject)
    equal(set(await listed(c, subject.digest, SBOM)), {sbom.digest})


@case(LIST, MUST)
async def filter_is_told(c: Client) -> None:
    """A list that was filtered says so, also if it is empty; another does not."""
    subject = await push_image(c, "v1")
    await push_artifact(c, SBOM, subject)
    for kind in (SBOM, "application/vnd.example.none"):
        got = await ask(c, subject.digest, kind)
        equal(got.header("OCI-Filters-Applied"), "artifactType")
    equal(got.json()["manifests"], [])
    plain = await ask(c, subject.digest)
    equal(plain.header("OCI-Filters-Applied"), None)


@case(LIST, SHOULD)
async def filtered_by_the_configuration(c: Client) -> None:
    """The filter goes by the type that an entry has, wherever that is from."""
    subject = await push_image(c, "v1")
    typed = await push_image(c, "", 1, SIGNATURE, subject=subject.descriptor())
    await push_artifact(c, SBOM, subject)
    equal(set(await listed(c, subject.digest, SIGNATURE)), {typed.digest})


@case("distribution: referrers", MUST)
async def order_is_stable(c: Client) -> None:
    """The same question has the same answer."""
    subject = await push_image(c, "v1")
    for number in range(5):
        await push_artifact(c, SBOM, subject, annotations={"n": str(number)})
    first = (await ask(c, subject.digest)).body
    equal((await ask(c, subject.digest)).body, first)


@case(LIST, MAY)
async def pages_are_linked(c: Client) -> None:
    """A list that comes in pages goes on where its Link says, filtered as before."""
    subject = await push_image(c, "v1")
    expected = []
    for number in range(5):
        notes = {"n": str(number)}
        artifact = await push_artifact(c, SBOM, subject, annotations=notes)
        expected.append(artifact.digest)
    await push_artifact(c, SIGNATURE, subject)
    query = f"?n=2&artifactType={quote(SBOM, safe='')}"
    path: str | None = url(c, "referrers", subject.digest + query)
    found = []
    while path is not None:
        got = expect(await get(c, path), 200)
        equal(got.header("OCI-Filters-Applied"), "artifactType")
        found += [entry["digest"] for entry in got.json()["manifests"]]
        path = next_page(got)
    equal(sorted(found), sorted(expected))


@case(LIST, MAY)
async def long_lists_come_in_pages(c: Client) -> None:
    """A list is no longer than a manifest may be, whatever referrers say."""
    subject = await push_image(c, "v1")
    expected = []
    for number in range(5):
        notes = {"n": f"{number}" + "x" * 1_500_000}
        artifact = await push_artifact(c, SBOM, subject, annotations=notes)
        expected.append(artifact.digest)
    path: str | None = url(c, "referrers", subject.digest)
    found, pages = [], 0
    while path is not None:
        got = expect(await get(c, path), 200)
        holds(len(got.body) < 4 * 1024 * 1024, "a page of less than 4 MiB")
        found += [entry["digest"] for entry in got.json()["manifests"]]
        path, pages = next_page(got), pages + 1
    equal(sorted(found), sorted(expected))
    equal(pages, 3)


@case("main: Content Digests", MUST)
async def referrer_by_sha512(c: Client) -> None:
    """What was pushed by its sha512 is listed by a digest that it can be pulled by."""
    subject = await push_image(c, "v1")
    await push_blob(c, EMPTY)
    empty = descriptor(EMPTY, OCI_EMPTY)
    pushed = document(
        image(empty, empty, artifactType=SBOM, subject=subject.descriptor())
    )
    got = await put(c, pushed, digest_of(pushed.content, "sha512"))
    equal(expect(got, 201).header("OCI-Subject"), subject.digest)
    (listed_by,) = await listed(c, subject.digest)
    found = expect(await get(c, url(c, "manifests", listed_by)), 200)
    equal(found.body, pushed.content)


@case(LIST, MUST)
async def deleted_referrers_are_not_listed(c: Client) -> None:
    """What was deleted is listed no more."""
    subject = await push_image(c, "v1")
    gone = await push_artifact(c, SBOM, subject)
    kept = await push_artifact(c, SIGNATURE, subject)
    equal(len(await listed(c, subject.digest)), 2)
    expect(await delete(c, url(c, "manifests", gone.digest)), 202)
    equal(set(await listed(c, subject.digest)), {kept.digest})


@case("Deleting tags", MUST)
async def untagged_referrers_are_listed(c: Client) -> None:
    """A referrer whose tag was deleted is listed all the same."""
    subject = await push_image(c, "v1")
    artifact = await push_artifact(c, SBOM, subject, "sbom")
    expect(await delete(c, url(c, "manifests", "sbom")), 202)
    equal(set(await listed(c, subject.digest)), {artifact.digest})


@case(LIST, MUST)
async def referrers_of_a_deleted_subject(c: Client) -> None:
    """What refers to a manifest that was deleted is there and is listed."""
    subject = await push_image(c, "v1")
    artifact = await push_artifact(c, SBOM, subject)
    expect(await delete(c, url(c, "manifests", subject.digest)), 202)
    equal(set(await listed(c, subject.digest)), {artifact.digest})
    expect(await get(c, url(c, "manifests", artifact.digest)), 200)


@case("main: Content Digests", MUST)
async def subject_by_sha512(c: Client) -> None:
    """A subject may be named by its sha512, and is asked for by it."""
    subject = await push_image(c, "v1")
    digest = digest_of(subject.content, "sha512")
    named = Document(subject.content, subject.kind, digest)
    artifact = await push_artifact(c, SBOM, named)
    equal(set(await listed(c, digest)), {artifact.digest})


# Lists that were there before the API.


def schema_tag(subject: Document) -> str:
    """Give the tag that the referrers of a manifest had before there was an API."""
    return subject.digest.replace(":", "-")


async def old_list(c: Client, subject: Document) -> tuple[Document, Document]:
    """Push a list as clients did; give the list and the only entry."""
    old = await push_artifact(c, SIGNATURE)
    entry = old.descriptor(artifactType=SIGNATURE, annotations={"a": "b"})
    tag = schema_tag(subject)
    return await push(c, index(entry), tag, OCI_INDEX), old


@case(ENABLING, MUST)
async def older_referrers_are_listed(c: Client) -> None:
    """What a client listed under the referrers tag is in the API as well."""
    subject = await push_image(c, "v1")
    _, old = await old_list(c, subject)
    entry = (await listed(c, subject.digest))[old.digest]
    equal((entry["artifactType"], entry["annotations"]), (SIGNATURE, {"a": "b"}))


@case(ENABLING, MUST)
async def older_and_newer_referrers(c: Client) -> None:
    """Both are listed, each once, and filtered alike."""
    subject = await push_image(c, "v1")
    new = await push_artifact(c, SBOM, subject)
    entry = new.descriptor(artifactType=SBOM)
    old = await push_artifact(c, SIGNATURE)
    both = index(entry, old.descriptor(artifactType=SIGNATURE))
    await push(c, both, schema_tag(subject), OCI_INDEX)
    equal(set(await listed(c, subject.digest)), {new.digest, old.digest})
    equal(set(await listed(c, subject.digest, SIGNATURE)), {old.digest})
    equal(set(await listed(c, subject.digest, SBOM)), {new.digest})


@case(ENABLING, MUST)
async def tag_of_older_referrers_stays(c: Client) -> None:
    """The tag itself can be pulled and deleted like any."""
    subject = await push_image(c, "v1")
    tagged, _ = await old_list(c, subject)
    path = url(c, "manifests", schema_tag(subject))
    equal(expect(await get(c, path), 200).body, tagged.content)
    expect(await delete(c, path), 202)
    equal(await listed(c, subject.digest), {})


@case("distribution: referrers", MUST)
async def tag_that_is_no_list(c: Client) -> None:
    """A tag of that form that stands for something else harms nothing."""
    subject = await push_image(c, "v1")
    await push_image(c, schema_tag(subject), 1)
    equal(await listed(c, subject.digest), {})
