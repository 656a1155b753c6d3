"""The base of the API, the catalogue, lists of tags, and what is not there at all."""

from __future__ import annotations

from tests.integration.scenarios.content import (
    CONFIG,
    DOCKER,
    DOCKER_IMAGE,
    LAYER,
)
from tests.integration.scenarios.step import Step, push, step

BASE = [
    step("base-get", "GET /v2/"),
    step("base-head", "HEAD /v2/"),
    step("base-query", "GET /v2/?ns=docker.io"),
    step("base-post", "POST /v2/"),
    step("base-put", "PUT /v2/", b"x"),
    step("base-delete", "DELETE /v2/"),
    step("base-options", "OPTIONS /v2/"),
    step("base-without-slash", "GET /v2"),
    step("base-two-slashes", "GET //v2/"),
    step("base-authorization-is-ignored", "GET /v2/", Authorization="Basic eDp5"),
    step("root-get", "GET /"),
    step("root-head", "HEAD /"),
    step("root-post", "POST /"),
    step("other-version", "GET /v1/_ping"),
    step("no-such-route", "GET /v2/foo/bar/other"),
    step("no-such-route-head", "HEAD /v2/foo/bar/other"),
    step("name-alone", "GET /v2/foo"),
    step("path-with-dots", "GET /v2/foo/../bar/tags/list"),
    step("path-with-dots-above-the-root", "GET /v2/../../etc/tags/list"),
    step("path-with-two-slashes", "GET /v2/foo//bar/tags/list"),
    step("path-not-utf8", "GET /v2/%ff%fe/tags/list"),
    step("path-with-nul", "GET /v2/fo%00o/tags/list"),
]

TAGS = [
    step("tags-of-no-repository", "GET /v2/tags/none/tags/list"),
    step("tags-of-no-repository-head", "HEAD /v2/tags/none/tags/list"),
    *push("tags-config", "tags/app", CONFIG),
    step("tags-none-yet", "GET /v2/tags/app/tags/list"),
    *push("tags-layer", "tags/app", LAYER),
    *[
        step(
            f"tags-put-{tag}",
            f"PUT /v2/tags/app/manifests/{tag}",
            DOCKER_IMAGE,
            Content_Type=DOCKER,
        )
        for tag in ("v2", "v10", "a", "B", "v1", "z", "C")
    ],
    step("tags-all", "GET /v2/tags/app/tags/list"),
    step("tags-head", "HEAD /v2/tags/app/tags/list"),
    step("tags-first-two", "GET /v2/tags/app/tags/list?n=2"),
    step("tags-next-two", "GET /v2/tags/app/tags/list?n=2&last=C"),
    step("tags-last-one", "GET /v2/tags/app/tags/list?n=2&last=v2"),
    step("tags-exactly-all", "GET /v2/tags/app/tags/list?n=7"),
    step("tags-after-the-last", "GET /v2/tags/app/tags/list?n=2&last=z"),
    step("tags-after-one-that-is-not", "GET /v2/tags/app/tags/list?last=c"),
    step("tags-n-zero", "GET /v2/tags/app/tags/list?n=0"),
    step("tags-n-negative", "GET /v2/tags/app/tags/list?n=-1"),
    step("tags-n-no-number", "GET /v2/tags/app/tags/list?n=x"),
    step("tags-n-empty", "GET /v2/tags/app/tags/list?n="),
    step("tags-n-large", "GET /v2/tags/app/tags/list?n=100000"),
    step("tags-n-beyond-64-bits", "GET /v2/tags/app/tags/list?n=99999999999999999999"),
    step("tags-other-parameter", "GET /v2/tags/app/tags/list?ns=docker.io"),
    step("tags-trailing-slash", "GET /v2/tags/app/tags/list/"),
    step("tags-alone", "GET /v2/tags/app/tags"),
    step("tags-options", "OPTIONS /v2/tags/app/tags/list"),
    step("tags-post", "POST /v2/tags/app/tags/list"),
    step("tags-put", "PUT /v2/tags/app/tags/list", b"{}"),
    step("tags-delete", "DELETE /v2/tags/app/tags/list"),
]

#: Sorts before the repositories of all other scenarios.
NAMES = ("0cat/b", "0cat/a-1", "0cat/a", "0cat/a/deep", "0cat")

CATALOGUE = [
    step("catalogue-empty", "GET /v2/_catalog"),
    step("catalogue-empty-page", "GET /v2/_catalog?n=5"),
    *[
        found
        for number, name in enumerate(NAMES)
        for found in push(f"catalogue-push-{number}", name, LAYER)
    ],
    step("catalogue-all", "GET /v2/_catalog"),
    step("catalogue-head", "HEAD /v2/_catalog"),
    step("catalogue-first-two", "GET /v2/_catalog?n=2"),
    step("catalogue-next-two", "GET /v2/_catalog?n=2&last=0cat/a"),
    step("catalogue-next-two-escaped", "GET /v2/_catalog?n=2&last=0cat%2Fa"),
    step("catalogue-last-one", "GET /v2/_catalog?n=2&last=0cat/a-1"),
    step("catalogue-exactly-all", "GET /v2/_catalog?n=5"),
    step("catalogue-after-the-last", "GET /v2/_catalog?n=2&last=0cat/b"),
    step("catalogue-after-one-that-is-not", "GET /v2/_catalog?n=2&last=0cat/aa"),
    step("catalogue-n-zero", "GET /v2/_catalog?n=0"),
    step("catalogue-n-negative", "GET /v2/_catalog?n=-1"),
    step("catalogue-n-no-number", "GET /v2/_catalog?n=x"),
    step("catalogue-n-empty", "GET /v2/_catalog?n="),
    step("catalogue-n-most", "GET /v2/_catalog?n=1000"),
    step("catalogue-n-too-large", "GET /v2/_catalog?n=1001"),
    step("catalogue-n-beyond-64-bits", "GET /v2/_catalog?n=99999999999999999999"),
    step("catalogue-trailing-slash", "GET /v2/_catalog/"),
    step("catalogue-options", "OPTIONS /v2/_catalog"),
    step("catalogue-post", "POST /v2/_catalog"),
    step("catalogue-delete", "DELETE /v2/_catalog"),
]

_LONG = "a" * 255
_GOOD = {
    "digits": "0/1",
    "separators": "a.b_c__d---e/f",
    "longest": _LONG,
    "with-host": "localhost:8080/foo",
    "with-upper-case-host": "Example.COM/foo",
    "like-a-route": "foo/manifests",
    "like-a-list": "foo/tags/list",
}
_BAD = {
    "upper-case": "Foo",
    "leading-dot": ".foo",
    "trailing-dash": "foo-",
    "three-underscores": "a___b",
    "two-dots": "a..b",
    "too-long": _LONG + "a",
    "space": "fo%20o",
    "umlaut": "f%C3%B6o",
    "trailing-slash": "foo/",
    "colon": "foo:bar",
}

NAMES_TABLE: list[Step] = [
    *[
        step(f"name-good-{kind}", f"GET /v2/{name}/tags/list")
        for kind, name in _GOOD.items()
    ],
    *[
        step(f"name-bad-{kind}", f"GET /v2/{name}/tags/list")
        for kind, name in _BAD.items()
    ],
    step("name-bad-manifest", "GET /v2/Foo/manifests/latest"),
    step("name-bad-manifest-put", "PUT /v2/Foo/manifests/latest", b"{}"),
    step("name-bad-blob", f"GET /v2/Foo/blobs/sha256:{'0' * 64}"),
    step("name-bad-upload", "POST /v2/Foo/blobs/uploads/"),
    step("name-two-routes-in-one", "GET /v2/foo/bar/manifests/manifests/tags"),
]
