"""Manifests of each kind: put, get, delete, and what is wrong with them."""

from __future__ import annotations

import json

from tests.integration.scenarios.content import (
    ABSENT,
    ARTIFACT,
    BLOB,
    CONFIG,
    DOCKER,
    DOCKER_CONFIG,
    DOCKER_IMAGE,
    DOCKER_LAYER,
    DOCKER_LIST,
    EMPTY,
    EVERYTHING,
    INDEX,
    LAYER,
    LIST,
    OCI,
    OCI_CONFIG,
    OCI_IMAGE,
    OCI_INDEX,
    OCI_LAYER,
    REFERRER,
    SCHEMA1,
    SIGNED,
    SIGNED_DIGEST,
    document,
    part,
    signed,
)
from tests.integration.scenarios.step import Step, digest_of, push, step

_AT = "/v2/man/app/manifests"

#: What stands under a tag of the same name: its type, bytes and digest.
_KINDS = {
    "docker": (DOCKER, DOCKER_IMAGE, digest_of(DOCKER_IMAGE)),
    "list": (LIST, DOCKER_LIST, digest_of(DOCKER_LIST)),
    "oci": (OCI, OCI_IMAGE, digest_of(OCI_IMAGE)),
    "index": (INDEX, OCI_INDEX, digest_of(OCI_INDEX)),
    "artifact": (OCI, ARTIFACT, digest_of(ARTIFACT)),
    "referrer": (OCI, REFERRER, digest_of(REFERRER)),
    "schema1": (SCHEMA1, SIGNED, SIGNED_DIGEST),
}


def _puts(kind: str) -> list[Step]:
    media_type, content, digest = _KINDS[kind]
    found = [
        step(f"put-{kind}", f"PUT {_AT}/{kind}", content, Content_Type=media_type),
        step(
            f"put-{kind}-again", f"PUT {_AT}/{kind}", content, Content_Type=media_type
        ),
    ]
    if kind != "schema1":
        at = f"PUT {_AT}/{digest}"
        found.append(
            step(f"put-{kind}-by-digest", at, content, Content_Type=media_type)
        )
    return found


def _gets(kind: str) -> list[Step]:
    media_type, _, digest = _KINDS[kind]
    tag, exact = f"{_AT}/{kind}", f"{_AT}/{digest}"
    other = OCI if kind in ("docker", "list") else DOCKER
    return [
        step(f"get-{kind}", f"GET {tag}", Accept=media_type),
        step(f"get-{kind}-any-of-all", f"GET {tag}", Accept=EVERYTHING),
        step(f"get-{kind}-wildcard", f"GET {tag}", Accept="*/*"),
        step(f"get-{kind}-half-wildcard", f"GET {tag}", Accept="application/*"),
        step(f"get-{kind}-no-accept", f"GET {tag}"),
        step(f"get-{kind}-other-accept", f"GET {tag}", Accept=other),
        step(f"get-{kind}-refused", f"GET {tag}", Accept=f"{media_type};q=0"),
        step(f"get-{kind}-low-q", f"GET {tag}", Accept=f"text/x, {media_type};q=0.1"),
        step(f"get-{kind}-two-lines", f"GET {tag}", Accept=["text/x", media_type]),
        step(f"get-{kind}-by-digest", f"GET {exact}", Accept=media_type),
        step(f"get-{kind}-by-digest-no-accept", f"GET {exact}"),
        step(f"get-{kind}-by-digest-other-accept", f"GET {exact}", Accept=other),
        step(f"head-{kind}", f"HEAD {tag}", Accept=media_type),
        step(f"head-{kind}-no-accept", f"HEAD {tag}"),
        step(f"head-{kind}-by-digest", f"HEAD {exact}", Accept=media_type),
    ]


_DIGEST = digest_of(OCI_IMAGE)
_CONDITIONS = {
    "quoted": f'"{_DIGEST}"',
    "unquoted": _DIGEST,
    "weak": f'W/"{_DIGEST}"',
    "in-a-list": f'"other", "{_DIGEST}"',
    "star": "*",
    "other": f'"{ABSENT}"',
}

PUT_AND_GET: list[Step] = [
    *push("man-config", "man/app", CONFIG),
    *push("man-layer", "man/app", LAYER),
    *push("man-empty", "man/app", EMPTY),
    *push("man-blob", "man/app", BLOB),
    *[found for kind in _KINDS for found in _puts(kind)],
    step("get-tags-of-each-kind", "GET /v2/man/app/tags/list"),
    *[found for kind in _KINDS for found in _gets(kind)],
    *[
        step(
            f"get-if-none-match-{kind}",
            f"GET {_AT}/oci",
            Accept=OCI,
            If_None_Match=value,
        )
        for kind, value in _CONDITIONS.items()
    ],
    step(
        "get-by-digest-if-none-match",
        f"GET {_AT}/{_DIGEST}",
        Accept=OCI,
        If_None_Match=_CONDITIONS["quoted"],
    ),
    step(
        "head-if-none-match",
        f"HEAD {_AT}/oci",
        Accept=OCI,
        If_None_Match=_CONDITIONS["quoted"],
    ),
    step("get-range-of-all", f"GET {_AT}/oci", Accept=OCI, Range="bytes=0-"),
    step("get-range-of-some", f"GET {_AT}/oci", Accept=OCI, Range="bytes=2-5"),
    step("get-range-beyond", f"GET {_AT}/oci", Accept=OCI, Range="bytes=9999-"),
    step("get-unknown-tag", f"GET {_AT}/none", Accept=EVERYTHING),
    step("head-unknown-tag", f"HEAD {_AT}/none", Accept=EVERYTHING),
    step("get-unknown-digest", f"GET {_AT}/{ABSENT}", Accept=EVERYTHING),
    step("head-unknown-digest", f"HEAD {_AT}/{ABSENT}", Accept=EVERYTHING),
    step("get-unknown-repository", "GET /v2/man/none/manifests/x", Accept=EVERYTHING),
    step("get-other-repository", f"GET /v2/man/none/manifests/{_DIGEST}", Accept=OCI),
    step("get-unknown-algorithm", f"GET {_AT}/sha257:{'0' * 64}"),
    step("get-short-digest", f"GET {_AT}/sha256:{'0' * 32}"),
    step("get-upper-case-digest", f"GET {_AT}/{_DIGEST.upper()}"),
    step("get-digest-no-digits", f"GET {_AT}/sha256:"),
    step("get-unknown-sha512", f"GET {_AT}/sha512:{'0' * 128}"),
    step("get-bad-tag-dot", f"GET {_AT}/.hidden"),
    step("get-bad-tag-long", f"GET {_AT}/{'a' * 129}"),
    step("get-tag-longest", f"GET {_AT}/{'a' * 128}"),
    step("get-bad-tag-character", f"GET {_AT}/v1+x"),
    step("get-no-reference", f"GET {_AT}/"),
    step("get-layer-as-manifest", f"GET {_AT}/{digest_of(LAYER)}", Accept=EVERYTHING),
    step("get-manifest-as-blob", f"GET /v2/man/app/blobs/{_DIGEST}"),
    step("manifest-options", f"OPTIONS {_AT}/oci"),
    step("manifest-post", f"POST {_AT}/oci", OCI_IMAGE, Content_Type=OCI),
    step("manifest-patch", f"PATCH {_AT}/oci", OCI_IMAGE, Content_Type=OCI),
    step("referrers", f"GET /v2/man/app/referrers/{_DIGEST}"),
    step("referrers-of-nothing", f"GET /v2/man/app/referrers/{ABSENT}"),
    step("referrers-bad-digest", "GET /v2/man/app/referrers/sha256:0"),
]

_LOST = part("application/vnd.oci.image.layer.v1.tar+gzip", b"never pushed")
_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


def _oci(**fields: object) -> bytes:
    return document(
        **({"mediaType": OCI, "config": OCI_CONFIG, "layers": [OCI_LAYER]} | fields)
    )


def _docker(*layers: object) -> bytes:
    return document(mediaType=DOCKER, config=DOCKER_CONFIG, layers=list(layers))


_CHILD_LOST = part(OCI, b"never pushed", platform={"architecture": "s", "os": "t"})

_NO_SIGNATURES = json.dumps(json.loads(SIGNED) | {"signatures": []}).encode()
_UNSIGNED = _NO_SIGNATURES.replace(b', "signatures": []', b"")

#: Documents that somebody should not have sent, with their Content-Type.
_WRONG = {
    "no-content-type": ("", OCI_IMAGE),
    "content-type-of-another": (DOCKER, OCI_IMAGE),
    "content-type-unknown": ("application/x-thing", OCI_IMAGE),
    "content-type-json": ("application/json", OCI_IMAGE),
    "content-type-with-parameter": (f"{OCI}; charset=utf-8", OCI_IMAGE),
    "content-type-malformed": ("/", OCI_IMAGE),
    "no-body": (OCI, b""),
    "no-json": (OCI, b"{"),
    "no-object": (OCI, b"[]"),
    "null": (OCI, b"null"),
    "too-long": (OCI, b" " * (4 * 1024 * 1024) + OCI_IMAGE),
    "no-media-type-docker": (
        DOCKER,
        document(config=DOCKER_CONFIG, layers=[DOCKER_LAYER]),
    ),
    "no-media-type-oci": (OCI, document(config=OCI_CONFIG, layers=[OCI_LAYER])),
    "media-type-of-another": (OCI, _oci(mediaType=INDEX)),
    "schema-version": (OCI, _oci(schemaVersion=1)),
    "no-schema-version": (OCI, OCI_IMAGE.replace(b'"schemaVersion": 2, ', b"")),
    "layers-and-manifests": (OCI, _oci(manifests=[])),
    "index-with-layers": (
        INDEX,
        document(mediaType=INDEX, manifests=[], layers=[OCI_LAYER]),
    ),
    "index-of-nothing": (INDEX, document(mediaType=INDEX, manifests=[])),
    "layer-unknown": (OCI, _oci(layers=[_LOST])),
    "config-unknown": (OCI, _oci(config=_LOST)),
    "two-unknown": (
        OCI,
        _oci(config=_LOST, layers=[_LOST | {"digest": ABSENT[:-1] + "0"}]),
    ),
    "layer-digest-malformed": (OCI, _oci(layers=[OCI_LAYER | {"digest": "sha256:0"}])),
    "layer-digest-empty": (OCI, _oci(layers=[OCI_LAYER | {"digest": ""}])),
    "layer-size-wrong": (OCI, _oci(layers=[OCI_LAYER | {"size": 1}])),
    "no-config": (OCI, document(mediaType=OCI, layers=[OCI_LAYER])),
    "no-layers": (OCI, document(mediaType=OCI, config=OCI_CONFIG)),
    "docker-layer-unknown": (DOCKER, _docker(part(DOCKER_LAYER["mediaType"], b"no"))),
    "index-child-unknown": (INDEX, document(mediaType=INDEX, manifests=[_CHILD_LOST])),
    "list-child-unknown": (
        LIST,
        document(mediaType=LIST, manifests=[_CHILD_LOST | {"mediaType": DOCKER}]),
    ),
    "foreign-layer-without-url": (DOCKER, _docker(part(_FOREIGN, b"elsewhere"))),
    "foreign-layer-url-not-allowed": (
        DOCKER,
        _docker(part(_FOREIGN, b"elsewhere", urls=["https://example.com/layer"])),
    ),
    "foreign-layer-url-no-http": (
        DOCKER,
        _docker(part(_FOREIGN, b"elsewhere", urls=["file:///etc/passwd"])),
    ),
    "nondistributable-without-url": (
        OCI,
        _oci(layers=[part(_NONDISTRIBUTABLE, b"elsewhere")]),
    ),
    "subject-unknown": (OCI, _oci(subject=part(OCI, b"never pushed"))),
    "schema1-signature-broken": (SCHEMA1, SIGNED.replace(b"amd64", b"amd65")),
    "schema1-unsigned": (SCHEMA1, _UNSIGNED),
    "schema1-no-signatures": (SCHEMA1, _NO_SIGNATURES),
    "schema1-of-another-name": (SCHEMA1, signed("other/app", "wrong")[0]),
    "schema1-of-another-tag": (SCHEMA1, signed("man/wrong", "other")[0]),
}


def _wrong(kind: str) -> Step:
    media_type, content = _WRONG[kind]
    headers = {"Content_Type": media_type} if media_type else {}
    at = f"PUT /v2/man/wrong/manifests/{kind}"
    return step(f"put-wrong-{kind}", at, content, **headers)


_SHA512 = digest_of(OCI_IMAGE, "sha512")
_MISMATCH = f"PUT /v2/man/wrong/manifests/{ABSENT}"

PUT_WRONG: list[Step] = [
    *push("wrong-config", "man/wrong", CONFIG),
    *push("wrong-layer", "man/wrong", LAYER),
    *[_wrong(kind) for kind in _WRONG],
    step("put-digest-of-another", _MISMATCH, OCI_IMAGE, Content_Type=OCI),
    step(
        "put-digest-short",
        "PUT /v2/man/wrong/manifests/sha256:00",
        OCI_IMAGE,
        Content_Type=OCI,
    ),
    step(
        "put-digest-unknown-algorithm",
        f"PUT /v2/man/wrong/manifests/sha257:{'0' * 64}",
        OCI_IMAGE,
        Content_Type=OCI,
    ),
    step(
        "put-by-sha512",
        f"PUT /v2/man/wrong/manifests/{_SHA512}",
        OCI_IMAGE,
        Content_Type=OCI,
    ),
    step("get-by-sha512", f"GET /v2/man/wrong/manifests/{_SHA512}", Accept=OCI),
    step(
        "put-by-digest-with-tags",
        f"PUT /v2/man/wrong/manifests/{_DIGEST}?tag=one&tag=two",
        OCI_IMAGE,
        Content_Type=OCI,
    ),
    step(
        "put-bad-tag-dot",
        "PUT /v2/man/wrong/manifests/.hidden",
        OCI_IMAGE,
        Content_Type=OCI,
    ),
    step(
        "put-bad-tag-long",
        f"PUT /v2/man/wrong/manifests/{'a' * 129}",
        OCI_IMAGE,
        Content_Type=OCI,
    ),
    step(
        "put-chunked",
        "PUT /v2/man/wrong/manifests/chunked",
        OCI_IMAGE,
        chunked=True,
        Content_Type=OCI,
    ),
    step(
        "put-behind-a-proxy",
        "PUT /v2/man/wrong/manifests/forwarded",
        OCI_IMAGE,
        Content_Type=OCI,
        X_Forwarded_Proto="https",
        X_Forwarded_Host="registry.example",
    ),
    step("put-wrong-tags", "GET /v2/man/wrong/tags/list"),
]

_GONE = "/v2/man/gone/manifests"

DELETE: list[Step] = [
    *push("gone-config", "man/gone", CONFIG),
    *push("gone-layer", "man/gone", LAYER),
    *[
        step(f"delete-put-{tag}", f"PUT {_GONE}/{tag}", OCI_IMAGE, Content_Type=OCI)
        for tag in ("one", "two", "three")
    ],
    step("delete-unknown-tag", f"DELETE {_GONE}/none"),
    step("delete-tag", f"DELETE {_GONE}/three"),
    step("delete-tag-again", f"DELETE {_GONE}/three"),
    step("delete-bad-tag", f"DELETE {_GONE}/.hidden"),
    step("delete-unknown-digest", f"DELETE {_GONE}/{ABSENT}"),
    step("delete-short-digest", f"DELETE {_GONE}/sha256:00"),
    step("delete-unknown-algorithm", f"DELETE {_GONE}/sha257:{'0' * 64}"),
    step("delete-unknown-sha512", f"DELETE {_GONE}/sha512:{'0' * 128}"),
    step("delete-unknown-repository", f"DELETE /v2/man/none/manifests/{ABSENT}"),
    step("delete-digest", f"DELETE {_GONE}/{_DIGEST}"),
    step("delete-digest-again", f"DELETE {_GONE}/{_DIGEST}"),
    step("deleted-get-by-digest", f"GET {_GONE}/{_DIGEST}", Accept=OCI),
    step("deleted-get-by-tag", f"GET {_GONE}/one", Accept=OCI),
    step("deleted-head-by-tag", f"HEAD {_GONE}/one", Accept=OCI),
    step("deleted-tags", "GET /v2/man/gone/tags/list"),
    step("deleted-put-again", f"PUT {_GONE}/one", OCI_IMAGE, Content_Type=OCI),
    step("deleted-get-again", f"GET {_GONE}/one", Accept=OCI),
    step("deleted-tags-again", "GET /v2/man/gone/tags/list"),
]
