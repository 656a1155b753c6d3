"""What clients rely on beside the specification: sequences, URLs, challenges."""

from __future__ import annotations

import re

from tests.conformance.client import Client, Withheld
from tests.conformance.content import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    NOBODY,
    OCI_INDEX,
    OCI_MANIFEST,
    OCTETS,
    begin,
    blobs_of,
    delete,
    descriptor,
    digest_of,
    document,
    finish,
    fresh,
    get,
    head,
    image,
    patch,
    place,
    push_blob,
    push_image,
    put,
    url,
    with_digest,
)
from tests.conformance.form import (
    MUST,
    SHOULD,
    SILLY,
    SILLY_REALM,
    SILLY_SERVICE,
    case,
    equal,
    expect,
    holds,
    refused,
)

CHALLENGE = "distribution: challenges"
URLS = "distribution: generated URLs"
ROUTES = "distribution: routes"
DOCKERD = "distribution: sequences (dockerd)"
CONTAINERD = "distribution: sequences (containerd)"
GGCR = "distribution: sequences (ggcr)"
REGCTL = "distribution: sequences (regctl)"

#: What a client sends if it is asked who it is.
SOMEBODY = {"Authorization": "Bearer x"}
#: What jib takes for a challenge.
JIB = re.compile(r'^Bearer realm="([^"]+)",service="([^"]+)"')


# Sequences.


@case(DOCKERD, MUST)
async def push_by_dockerd(c: Client) -> None:
    """HEAD, POST, PATCH without a range, PUT without a body; then the manifest."""
    config, layer = b'{"os": "linux"}', fresh(c)
    for content in (config, layer):
        digest = digest_of(content)
        expect(await head(c, url(c, "blobs", digest)), 404)
        got = expect(await patch(c, await begin(c), content), 202)
        got = expect(await finish(c, place(got), digest), 201)
        equal(got.header("Docker-Content-Digest"), digest)
        expect(await head(c, url(c, "blobs", digest)), 200)
    value = image(
        descriptor(config, "application/vnd.docker.container.image.v1+json"),
        descriptor(layer, "application/vnd.docker.image.rootfs.diff.tar.gzip"),
        mediaType=DOCKER_MANIFEST,
    )
    pushed = document(value, DOCKER_MANIFEST)
    got = expect(await put(c, pushed, "v1"), 201)
    equal(got.header("Docker-Content-Digest"), pushed.digest)


@case(DOCKERD, MUST)
async def pull_by_dockerd(c: Client) -> None:
    """HEAD with many Accept lines, then the manifest, then each blob."""
    pushed = await push_image(c, "v1")
    kinds = {"Accept": [DOCKER_MANIFEST, DOCKER_LIST, OCI_INDEX, OCI_MANIFEST]}
    asked = await c.request("HEAD", url(c, "manifests", "v1"), None, kinds)
    digest = expect(asked, 200).header("Docker-Content-Digest") or ""
    got = await c.request("GET", url(c, "manifests", digest), None, kinds)
    equal(expect(got, 200).body, pushed.content)
    value = got.json()
    for blob in (value["config"], *value["layers"]):
        got = expect(await get(c, url(c, "blobs", blob["digest"])), 200)
        equal(len(got.body), blob["size"])


@case(CONTAINERD, MUST)
async def push_by_containerd(c: Client) -> None:
    """HEAD, POST, one PUT with the body, and ns on every request."""
    content, digest = fresh(c), digest_of(fresh(c))
    expect(await head(c, url(c, "blobs", f"{digest}?ns=docker.io")), 404)
    got = await c.request("POST", url(c, "blobs/uploads", "?ns=docker.io"))
    location = place(expect(got, 202))
    headers = {"Content-Type": OCTETS}
    path = with_digest(location, digest) + "&ns=docker.io"
    expect(await c.request("PUT", path, content, headers), 201)
    expect(await get(c, url(c, "blobs", f"{digest}?ns=docker.io")), 200)


@case(CONTAINERD, MUST)
async def fetch_in_parallel(c: Client) -> None:
    """Open-ended parts from several places make the blob together."""
    content = fresh(c, size=40_000)
    path = url(c, "blobs", await push_blob(c, content))
    found = b""
    for start in range(0, 40_000, 10_000):
        got = expect(await get(c, path, Range=f"bytes={start}-"), 206)
        found += got.body[:10_000]
    equal(found == content, True, "the blob is whole")


@case(CONTAINERD, MUST)
async def digest_that_may_be_a_manifest_or_a_blob(c: Client) -> None:
    """A digest that is no manifest is 404 at once, so that blobs are tried."""
    digest = await push_blob(c, fresh(c))
    expect(await head(c, url(c, "manifests", digest)), 404)
    expect(await head(c, url(c, "blobs", digest)), 200)


@case(GGCR, MUST)
async def push_by_ggcr(c: Client) -> None:
    """POST with a type of JSON and a mount, PATCH streamed, PUT without a body."""
    content = fresh(c)
    path = url(c, "blobs/uploads", f"?mount={digest_of(content)}&from=a/b&origin=x")
    got = await c.request("POST", path, b"", {"Content-Type": "application/json"})
    got = expect(await patch(c, place(expect(got, 202)), content), 202)
    expect(await finish(c, place(got), digest_of(content)), 201)


@case(REGCTL, MUST)
async def push_by_regctl(c: Client) -> None:
    """Chunks with ranges; after one that was lost, the status says where to go on."""
    content, location = fresh(c), await begin(c)
    got = expect(await patch(c, location, content[:500], 0), 202)
    status = expect(await get(c, place(got)), 204)
    end = int((status.header("Range") or "").partition("-")[2])
    got = expect(await patch(c, place(status), content[end + 1 :], end + 1), 202)
    expect(await finish(c, place(got), digest_of(content)), 201)


@case("distribution: sequences (stargz)", MUST)
async def lazy_pull(c: Client) -> None:
    """Two bytes of a blob tell how long it is; then come parts of its end."""
    content = fresh(c)
    path = url(c, "blobs", await push_blob(c, content))
    identity = {"Accept_Encoding": "identity"}
    got = expect(await get(c, path, Range="bytes=0-1", **identity), 206)
    size = int((got.header("Content-Range") or "").partition("/")[2])
    equal(size, len(content))
    got = expect(await get(c, path, Range=f"bytes={size - 51}-{size - 1}"), 206)
    equal(got.body, content[-51:])


@case("distribution: uploads (buildkit)", MUST)
async def refused_before_it_is_sent(c: Client) -> None:
    """A push that cannot succeed is answered before its body is read."""
    location = url(c, "blobs/uploads", "6b3c9a93-af5d-473f-a4ce-9710022185cd")
    path = with_digest(location, NOBODY)
    headers = {"Content-Type": OCTETS, "Expect": "100-continue"}
    got = await c.request("PUT", path, Withheld(10**9), headers)
    refused(got, 404, "BLOB_UPLOAD_UNKNOWN")


@case("distribution: authorization (dockerd)", MUST)
async def credentials_that_nobody_asked_for(c: Client) -> None:
    """A registry that asks nobody who he is takes no notice of credentials."""
    for given in ("Basic eDp5", "Bearer nonsense", "?"):
        got = await c.request("GET", "/v2/", None, {"Authorization": given})
        expect(got, 200)


# URLs.


@case(URLS, MUST)
async def location_behind_a_proxy(c: Client) -> None:
    """A Location has the scheme and the host that a proxy says the client used."""
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "edge.example"}
    got = await c.request("POST", url(c, "blobs/uploads", ""), None, headers)
    location = place(expect(got, 202))
    holds(location.startswith(("https://edge.example/v2/", "/v2/")), location)


@case(URLS, MUST)
async def location_with_forwarded(c: Client) -> None:
    """Forwarded comes before X-Forwarded."""
    headers = {
        "Forwarded": "proto=https;host=first.example, proto=http;host=second.example",
        "X-Forwarded-Host": "other.example",
    }
    got = await c.request("POST", url(c, "blobs/uploads", ""), None, headers)
    location = place(expect(got, 202))
    holds(location.startswith(("https://first.example/v2/", "/v2/")), location)


@case(URLS, MUST)
async def malformed_forwarded(c: Client) -> None:
    """A Forwarded that is malformed harms nothing."""
    for given in ("=", ";;;", 'host="', "proto=https;;host", "x" * 1000):
        headers = {"Forwarded": given}
        got = await c.request("POST", url(c, "blobs/uploads", ""), None, headers)
        expect(got, 202)


@case(URLS, MUST)
async def location_of_a_manifest_is_its_digest(c: Client) -> None:
    """The Location of a manifest that was pushed by tag names its digest."""
    config, layer = await blobs_of(c)
    pushed = document(image(descriptor(config), descriptor(layer)))
    got = expect(await put(c, pushed, "v1"), 201)
    holds(place(got).endswith(f"/{c.name}/manifests/{pushed.digest}"), place(got))


@case(URLS, MUST)
async def location_of_a_blob_is_its_digest(c: Client) -> None:
    """The Location of a blob names its digest."""
    digest = digest_of(fresh(c))
    got = expect(await finish(c, await begin(c), digest, fresh(c)), 201)
    holds(place(got).endswith(f"/{c.name}/blobs/{digest}"), place(got))


# Names that look like routes.


@case(ROUTES, MUST)
async def name_that_ends_in_manifests(c: Client) -> None:
    """A repository may be called manifests, and a tag of it tags."""
    name = f"{c.name}/manifests"
    await push_blob(c, b"{}", name)
    pushed = document(image(descriptor(b"{}")))
    expect(await put(c, pushed, "tags", name), 201)
    got = expect(await get(c, f"/v2/{c.name}/manifests/manifests/tags"), 200)
    equal(got.body, pushed.content)
    got = expect(await get(c, f"/v2/{c.name}/manifests/tags/list"), 200)
    equal(got.json(), {"name": name, "tags": ["tags"]})


@case(ROUTES, MUST)
async def names_like_other_routes(c: Client) -> None:
    """A repository may be called like any part of a path."""
    for tail in ("blobs/uploads", "tags/list", "referrers", "blobs", "v2", "uploads"):
        name = f"{c.name}/{tail}"
        digest = await push_blob(c, b"{}", name)
        expect(await get(c, url(c, "blobs", digest, name)), 200)
        pushed = document(image(descriptor(b"{}")))
        expect(await put(c, pushed, "list", name), 201)
        got = expect(await get(c, url(c, "manifests", "list", name)), 200)
        equal(got.body, pushed.content)
        got = expect(await get(c, url(c, "tags", "list", name)), 200)
        equal(got.json(), {"name": name, "tags": ["list"]})


@case(ROUTES, MUST)
async def tags_like_other_routes(c: Client) -> None:
    """A tag may be called like any part of a path."""
    config, layer = await blobs_of(c)
    pushed = document(image(descriptor(config), descriptor(layer)))
    for tag in ("list", "manifests", "blobs", "uploads", "_catalog", "v2"):
        expect(await put(c, pushed, tag), 201)
        equal((await get(c, url(c, "manifests", tag))).body, pushed.content)


@case(ROUTES, MUST)
async def encoded_digests(c: Client) -> None:
    """The colon of a digest may be encoded."""
    digest = await push_blob(c, fresh(c))
    expect(await get(c, url(c, "blobs", digest.replace(":", "%3A"))), 200)


# Who asks.


@case(CHALLENGE, MUST, SILLY)
async def challenge_of_the_base(c: Client) -> None:
    """/v2/ asks who the client is, in the form that the strictest client wants."""
    got = await get(c, "/v2/")
    refused(got, 401, "UNAUTHORIZED")
    match = JIB.match(got.header("WWW-Authenticate") or "")
    holds(match, f"{got.header('WWW-Authenticate')} is no challenge")
    assert match is not None
    equal(match.groups(), (SILLY_REALM, SILLY_SERVICE))
    equal(got.header("Docker-Distribution-API-Version"), "registry/2.0")


@case(CHALLENGE, MUST, SILLY)
async def challenge_of_a_head(c: Client) -> None:
    """HEAD is challenged like GET."""
    got = expect(await head(c, url(c, "manifests", "v1")), 401)
    holds(JIB.match(got.header("WWW-Authenticate") or ""), "there is no challenge")


@case(CHALLENGE, MUST, SILLY)
async def scope_of_a_pull(c: Client) -> None:
    """What is pulled is in the scope of the challenge."""
    for path in (
        url(c, "manifests", "v1"),
        url(c, "blobs", NOBODY),
        url(c, "tags", "list"),
        url(c, "referrers", NOBODY),
    ):
        got = await get(c, path)
        refused(got, 401, "UNAUTHORIZED")
        equal(scope_in(got.header("WWW-Authenticate")), f"repository:{c.name}:pull")


@case(CHALLENGE, MUST, SILLY)
async def scope_of_a_push(c: Client) -> None:
    """A push wants to pull and to push."""
    for method, path in (
        ("POST", url(c, "blobs/uploads", "")),
        ("PUT", url(c, "manifests", "v1")),
    ):
        got = await c.request(method, path)
        refused(got, 401, "UNAUTHORIZED")
        scope = scope_in(got.header("WWW-Authenticate"))
        equal(scope, f"repository:{c.name}:pull,push")


@case(CHALLENGE, MUST, SILLY)
async def scope_of_a_delete(c: Client) -> None:
    """A delete wants to delete."""
    for path in (url(c, "manifests", "v1"), url(c, "blobs", NOBODY)):
        got = await delete(c, path)
        refused(got, 401, "UNAUTHORIZED")
        scope = scope_in(got.header("WWW-Authenticate"))
        equal(scope, f"repository:{c.name}:delete")


@case(CHALLENGE, MUST, SILLY)
async def scope_of_a_mount(c: Client) -> None:
    """A mount wants to pull from its source as well."""
    path = url(c, "blobs/uploads", f"?mount={NOBODY}&from={c.name}/source")
    got = await c.request("POST", path)
    refused(got, 401, "UNAUTHORIZED")
    scopes = (scope_in(got.header("WWW-Authenticate")) or "").split(" ")
    expected = {f"repository:{c.name}:pull,push", f"repository:{c.name}/source:pull"}
    equal(set(scopes), expected)


@case(CHALLENGE, MUST, SILLY)
async def scope_of_the_catalogue(c: Client) -> None:
    """The catalogue has a scope of its own."""
    got = await get(c, "/v2/_catalog")
    refused(got, 401, "UNAUTHORIZED")
    equal(scope_in(got.header("WWW-Authenticate")), "registry:catalog:*")


@case(CHALLENGE, MUST, SILLY)
async def credentials_let_in(c: Client) -> None:
    """Who says who it is gets in."""
    expect(await c.request("GET", "/v2/", None, SOMEBODY), 200)
    got = await c.request("POST", url(c, "blobs/uploads", ""), None, SOMEBODY)
    expect(got, 202)
    got = await c.request("GET", url(c, "manifests", "v1"), None, SOMEBODY)
    refused(got, 404, "MANIFEST_UNKNOWN", "NAME_UNKNOWN")


@case(CHALLENGE, MUST, SILLY)
async def root_asks_nobody(c: Client) -> None:
    """GET of / says that the process lives, to anybody."""
    expect(await get(c, "/"), 200)


@case(CHALLENGE, MUST, SILLY)
async def asked_before_the_body(c: Client) -> None:
    """A push by somebody unknown is refused before its body is read."""
    path = with_digest(url(c, "blobs/uploads", ""), NOBODY)
    got = await c.request("POST", path, Withheld(10**9), {"Content-Type": OCTETS})
    refused(got, 401, "UNAUTHORIZED")


@case("distribution: authorization", SHOULD, SILLY)
async def refusal_says_what_was_wanted(c: Client) -> None:
    """The detail of a refusal lists what access was wanted."""
    got = await get(c, url(c, "manifests", "v1"))
    detail = got.json()["errors"][0]["detail"]
    record = {"Type": "repository", "Class": "", "Name": c.name, "Action": "pull"}
    equal(detail, [record])


def scope_in(challenge: str | None) -> str | None:
    """Give the scope of a challenge."""
    match = re.search(r'[ ,]scope="([^"]*)"', challenge or "")
    return None if match is None else match[1]
