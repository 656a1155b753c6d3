"""Listing tags."""

from __future__ import annotations

from tests.conformance.client import Client
from tests.conformance.content import (
    delete,
    document,
    get,
    head,
    image,
    next_page,
    push_blob,
    push_image,
    put,
    url,
)
from tests.conformance.content import descriptor as described
from tests.conformance.form import MUST, SHOULD, case, equal, expect, holds, refused

TAGS = "Listing Tags"
#: Some tags in ASCII order.
SOME = ["0", "10", "2", "A", "B.1", "_x", "a", "a-b", "a.b", "ab", "v1", "v10", "v2"]


async def tag_all(c: Client, *tags: str, name: str = "") -> None:
    """Push one small manifest under many tags."""
    await push_blob(c, b"{}", name)
    pushed = document(image(described(b"{}", "text/x-example")))
    for tag in tags:
        expect(await put(c, pushed, tag, name), 201)


async def tags_of(c: Client, query: str = "", name: str = "") -> list[str]:
    """Give a page of tags."""
    got = expect(await get(c, url(c, "tags", f"list{query}", name)), 200)
    return list(got.json()["tags"])


@case(TAGS, MUST)
async def list_of_tags(c: Client) -> None:
    """The list of tags is JSON with the name of the repository and its tags."""
    await push_image(c, "v1")
    got = expect(await get(c, url(c, "tags", "list")), 200)
    equal(got.json(), {"name": c.name, "tags": ["v1"]})
    kind = got.header("Content-Type") or ""
    equal(kind.partition(";")[0], "application/json")
    equal(got.length, len(got.body), "Content-Length")


@case("main: Listing Tags", MUST)
async def tags_are_in_order(c: Client) -> None:
    """Tags come in the order of their characters, whatever they were pushed in."""
    await tag_all(c, *reversed(SOME))
    equal(await tags_of(c), SOME)


@case(TAGS, MUST)
async def tags_once_each(c: Client) -> None:
    """A tag that was moved is listed once."""
    await push_image(c, "v1", 1)
    await push_image(c, "v1", 2)
    equal(await tags_of(c), ["v1"])


@case(TAGS, MUST)
async def tags_of_an_unknown_repository(c: Client) -> None:
    """The tags of a repository that is not there are 404."""
    refused(await get(c, url(c, "tags", "list")), 404, "NAME_UNKNOWN")


@case(TAGS, MUST)
async def limited_page(c: Client) -> None:
    """With n there are no more than so many, from the start."""
    await tag_all(c, *SOME)
    equal(await tags_of(c, "?n=3"), SOME[:3])


@case(TAGS, MUST)
async def page_of_nothing(c: Client) -> None:
    """n of 0 is an empty list without a Link."""
    await tag_all(c, *SOME)
    got = expect(await get(c, url(c, "tags", "list?n=0")), 200)
    equal(got.json(), {"name": c.name, "tags": []})
    equal(got.header("Link"), None)


@case(TAGS, MUST)
async def page_of_more_than_there_is(c: Client) -> None:
    """n beyond the number of tags is all of them, without a Link."""
    await tag_all(c, *SOME)
    got = expect(await get(c, url(c, "tags", "list?n=500")), 200)
    equal(got.json()["tags"], SOME)
    equal(got.header("Link"), None)


@case(TAGS, MUST)
async def page_of_just_as_many(c: Client) -> None:
    """A page that has them all has no Link."""
    await tag_all(c, *SOME)
    got = expect(await get(c, url(c, "tags", f"list?n={len(SOME)}")), 200)
    equal(got.json()["tags"], SOME)
    equal(got.header("Link"), None)


@case(TAGS, MUST)
async def page_after_a_tag(c: Client) -> None:
    """With last the list begins after that tag, which is not in it."""
    await tag_all(c, *SOME)
    equal(await tags_of(c, "?n=2&last=a"), ["a-b", "a.b"])


@case(TAGS, MUST)
async def page_after_a_tag_without_a_limit(c: Client) -> None:
    """last without n gives all tags after it."""
    await tag_all(c, *SOME)
    equal(await tags_of(c, "?last=ab"), ["v1", "v10", "v2"])


@case("distribution: pagination", MUST)
async def page_after_what_is_not_there(c: Client) -> None:
    """last need not be a tag that is there."""
    await tag_all(c, *SOME)
    equal(await tags_of(c, "?n=1&last=aa"), ["ab"])
    equal(await tags_of(c, "?n=1&last=zzz"), [])


@case(TAGS, SHOULD)
async def pages_are_linked(c: Client) -> None:
    """Where there are more tags a Link leads to them, until there are no more."""
    await tag_all(c, *SOME)
    path: str | None = url(c, "tags", "list?n=4")
    pages = []
    while path is not None:
        got = expect(await get(c, path), 200)
        pages.append(got.json()["tags"])
        path = next_page(got)
    equal(pages, [SOME[:4], SOME[4:8], SOME[8:12], SOME[12:]])


@case("distribution: pagination", MUST)
async def link_is_relative(c: Client) -> None:
    """A Link is a path with n and last, as clients behind proxies want it."""
    await tag_all(c, "a", "b")
    got = expect(await get(c, url(c, "tags", "list?n=1")), 200)
    link = next_page(got) or ""
    holds(link.startswith(f"/v2/{c.name}/tags/list?"), f"Link: {link}")
    equal(sorted(link.partition("?")[2].split("&")), ["last=a", "n=1"])


@case("distribution: pagination", MUST)
async def malformed_limit(c: Client) -> None:
    """n that is no number from 0 up is PAGINATION_NUMBER_INVALID."""
    await push_image(c, "v1")
    for n in ("-1", "x", "1.5", "%20"):
        got = await get(c, url(c, "tags", f"list?n={n}"))
        refused(got, 400, "PAGINATION_NUMBER_INVALID")


@case("distribution: pagination", MUST)
async def limit_beyond_the_bound(c: Client) -> None:
    """n beyond the bound is as good as the bound."""
    await tag_all(c, *SOME)
    equal(await tags_of(c, "?n=999999999999"), SOME)


@case(TAGS, MUST)
async def deleted_tags_are_not_listed(c: Client) -> None:
    """A tag that was deleted is listed no more; without any the list is empty."""
    await tag_all(c, "a", "b")
    expect(await delete(c, url(c, "manifests", "a")), 202)
    equal(await tags_of(c), ["b"])
    expect(await delete(c, url(c, "manifests", "b")), 202)
    equal(await tags_of(c), [])


@case(TAGS, MUST)
async def manifests_without_a_tag_are_not_listed(c: Client) -> None:
    """What was pushed by digest is no tag."""
    await push_image(c)
    equal(await tags_of(c), [])


@case(TAGS, MUST)
async def tags_of_one_repository(c: Client) -> None:
    """The tags of a repository are not those of another whose name begins like it."""
    other = f"{c.name}/below"
    await tag_all(c, "a")
    await tag_all(c, "b", name=other)
    equal(await tags_of(c), ["a"])
    equal(await tags_of(c, name=other), ["b"])


@case("distribution: pagination", MUST)
async def tags_that_begin_alike(c: Client) -> None:
    """No tag is lost between pages because another begins like it."""
    alike = ["foo", "foo-bar", "foo.bar", "foo_bar", "foobar"]
    await tag_all(c, *alike)
    found, last = [], ""
    for _ in alike:
        page = await tags_of(c, f"?n=1&last={last}")
        found += page
        last = page[-1]
    equal(found, alike)


@case("distribution: tags", MUST)
async def head_of_a_list(c: Client) -> None:
    """HEAD of the list of tags has the headers of a GET."""
    await push_image(c, "v1")
    path = url(c, "tags", "list")
    asked, got = expect(await head(c, path), 200), await get(c, path)
    equal(asked.length, got.length, "Content-Length")
