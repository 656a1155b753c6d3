"""The base of the API, the grammar of names, the form of errors."""

from __future__ import annotations

import json

from tests.conformance.client import Client
from tests.conformance.content import (
    NOBODY,
    get,
    head,
    next_page,
    push_blob,
    push_image,
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

SUPPORT = "Determining Support"
NAMES = "Pulling manifests"
ERRORS = "Error Codes"


@case(SUPPORT, MUST)
async def get_base(c: Client) -> None:
    """GET of /v2/ is answered with 200 where nobody has to log in."""
    expect(await get(c, "/v2/"), 200)


@case("Legacy Docker support HTTP headers", MAY)
async def base_names_the_api(c: Client) -> None:
    """The answer to /v2/ names the version of the API, as old clients want."""
    got = expect(await get(c, "/v2/"), 200)
    equal(got.header("Docker-Distribution-API-Version"), "registry/2.0")


@case("distribution: base", MUST)
async def base_is_an_empty_object(c: Client) -> None:
    """The body of /v2/ is an empty JSON object of known length."""
    got = expect(await get(c, "/v2/"), 200)
    equal((got.json(), got.length), ({}, 2))
    holds((got.header("Content-Type") or "").startswith("application/json"), "no JSON")


@case("distribution: base", MUST)
async def head_base(c: Client) -> None:
    """HEAD of /v2/ is answered as GET is."""
    got = expect(await head(c, "/v2/"), 200)
    equal(got.header("Docker-Distribution-API-Version"), "registry/2.0")


@case("distribution: base", MUST)
async def base_without_a_slash(c: Client) -> None:
    """/v2 is answered as /v2/ is, without a redirect."""
    got = expect(await get(c, "/v2"), 200)
    equal(got.header("Docker-Distribution-API-Version"), "registry/2.0")


@case("distribution: base", MUST)
async def root_is_alive(c: Client) -> None:
    """GET of / says that the process lives, with an empty body."""
    got = expect(await get(c, "/"), 200)
    equal(got.body, b"")


@case("distribution: base", MUST)
async def every_answer_names_the_api(c: Client) -> None:
    """Errors name the version of the API as well."""
    got = expect(await get(c, url(c, "blobs", NOBODY)), 404)
    equal(got.header("Docker-Distribution-API-Version"), "registry/2.0")


@case("main: Registry Proxying", MAY)
async def base_tolerates_ns(c: Client) -> None:
    """A registry that is no proxy takes no notice of ns."""
    expect(await get(c, "/v2/?ns=docker.io"), 200)


@case("main: Registry Proxying", MAY)
async def pull_tolerates_ns(c: Client) -> None:
    """ns on a pull changes nothing about what is pulled."""
    pushed = await push_image(c, "v1")
    for reference in ("v1", pushed.digest):
        path = url(c, "manifests", reference)
        got = expect(await get(c, f"{path}?ns=registry.example"), 200)
        equal(got.body, pushed.content)


@case("main: Registry Proxying", MAY)
async def blobs_and_lists_tolerate_ns(c: Client) -> None:
    """ns on blobs, tags and referrers changes nothing."""
    pushed = await push_image(c, "v1")
    layer = json.loads(pushed.content)["layers"][0]["digest"]
    for path in (
        url(c, "blobs", layer),
        url(c, "tags", "list"),
        url(c, "referrers", pushed.digest),
    ):
        plain = expect(await get(c, path), 200)
        equal((await get(c, f"{path}?ns=docker.io")).body, plain.body, path)


@case(NAMES, MUST)
async def names_of_the_grammar(c: Client) -> None:
    """Separators in names are a dot, one or two underscores, and dashes."""
    for tail in ("a.b", "a_b", "a__b", "a-b", "a--b", "a---b/c", "0", "a/b/c/d/e/f"):
        name = f"{c.name}/{tail}"
        digest = await push_blob(c, tail.encode(), name)
        got = expect(await get(c, url(c, "blobs", digest, name)), 200)
        equal(got.body, tail.encode())


@case(NAMES, MUST)
async def names_outside_the_grammar(c: Client) -> None:
    """What is no name is refused as one, or not found."""
    for name in ("UPPER/case", "a/_b", "a/b_", "a..b", "a___b", "-a", "a/b.", "a//b"):
        got = await get(c, f"/v2/{name}/tags/list")
        refused(got, (400, 404), "NAME_INVALID", "NAME_UNKNOWN", "NOT_FOUND")


@case("distribution: grammar", MUST)
async def longest_name(c: Client) -> None:
    """A name of 255 characters is taken, one beyond that after a host is not."""
    name = f"{c.name}/" + "a" * (254 - len(c.name))
    digest = await push_blob(c, b"long", name)
    expect(await head(c, url(c, "blobs", digest, name)), 200)
    got = await get(c, f"/v2/conformance/{'a' * 256}/tags/list")
    refused(got, 400, "NAME_INVALID")


@case("distribution: grammar", MUST)
async def name_with_a_host(c: Client) -> None:
    """A name may begin with a host, whose letters may be upper-case."""
    name = f"Mirror.example/{c.name}"
    digest = await push_blob(c, b"host", name)
    expect(await head(c, url(c, "blobs", digest, name)), 200)


@case("distribution: grammar", MUST)
async def name_with_a_port(c: Client) -> None:
    """A name with a port is a name, though there is no directory for it."""
    got = await get(c, f"/v2/localhost:8080/{c.name}/tags/list")
    refused(got, (400, 404), "NAME_INVALID", "NAME_UNKNOWN")


@case(ERRORS, MUST)
async def unknown_path(c: Client) -> None:
    """A path that is not part of the API is 404, as JSON."""
    for path in ("/v2/x", "/v1/", "/v2/a/b/c", f"/v2/{c.name}/tags", "/favicon.ico"):
        refused(await get(c, path), 404)


@case("distribution: errors", MUST)
async def wrong_method(c: Client) -> None:
    """A method that a path does not have is 405, as JSON, and says what it has."""
    for method, path in (
        ("POST", "/v2/"),
        ("PUT", url(c, "tags", "list")),
        ("POST", url(c, "manifests", "v1")),
        ("PUT", url(c, "blobs", NOBODY)),
        ("DELETE", url(c, "referrers", NOBODY)),
        ("GET", url(c, "blobs/uploads", "")),
    ):
        got = await c.request(method, path)
        refused(got, 405, "UNSUPPORTED")
        holds(got.header("Allow"), f"{method} {path} does not say what is allowed")


@case("distribution: errors", MUST)
async def unknown_method(c: Client) -> None:
    """A method that HTTP does not know ends in JSON and no server error."""
    refused(await c.request("BREW", "/v2/"), (400, 405, 501))


@case(ERRORS, SHOULD)
async def errors_have_a_message(c: Client) -> None:
    """An error says in words what is wrong."""
    got = await get(c, url(c, "manifests", "none"))
    refused(got, 404, "MANIFEST_UNKNOWN")
    holds(got.json()["errors"][0]["message"], "there is no message")


@case("distribution: errors", MUST)
async def odd_paths_are_never_redirected(c: Client) -> None:
    """Dots and double slashes in a path are refused, not redirected."""
    for path in (f"/v2/{c.name}//tags/list", "/v2/../v2/", "/v2/%2e%2e/x"):
        got = await get(c, path)
        holds(got.status in (400, 404), f"{path}: {got.status}")


@case("distribution: errors", MUST)
async def paths_that_are_no_text(c: Client) -> None:
    """Bytes in a path that are no UTF-8 are not found."""
    for path in ("/v2/%ff/tags/list", f"/v2/{c.name}/manifests/%fe"):
        refused(await get(c, path), (400, 404))


@case("distribution: catalogue", MAY)
async def catalogue(c: Client) -> None:
    """The catalogue lists a repository that holds a blob."""
    await push_blob(c, b"catalogue")
    before = c.name[:-1]
    got = expect(await get(c, f"/v2/_catalog?n=5&last={before}"), 200)
    holds((got.header("Content-Type") or "").startswith("application/json"), "no JSON")
    holds(c.name in got.json()["repositories"], f"{c.name} is not in {got.body!r}")


@case("distribution: catalogue", MAY)
async def catalogue_pages(c: Client) -> None:
    """The catalogue goes on where its Link says, each name once and in order."""
    names = [f"{c.name}/{tail}" for tail in ("a", "a-b", "a/b", "b")]
    for name in names:
        await push_blob(c, b"page", name)
    path: str | None = "/v2/_catalog?n=2"
    found: list[str] = []
    while path is not None:
        got = expect(await get(c, path), 200)
        page = got.json()["repositories"]
        holds(len(page) <= 2, f"a page of {len(page)}")
        found += page
        path = next_page(got)
    equal(sorted(set(found)), sorted(found), "names that come twice")
    holds(set(names) <= set(found), f"{found} lacks some of {names}")


@case("distribution: catalogue", MUST)
async def catalogue_bounds(c: Client) -> None:
    """n of the catalogue is a number from 0 to its bound."""
    for n in ("-1", "x", "1.5"):
        got = await get(c, f"/v2/_catalog?n={n}")
        refused(got, 400, "PAGINATION_NUMBER_INVALID")
    equal((await get(c, "/v2/_catalog?n=0")).json()["repositories"], [])
    expect(await get(c, "/v2/_catalog?n=100000"), 200)
