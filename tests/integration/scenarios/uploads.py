"""Uploads in each form, and what may go wrong on the way."""

from __future__ import annotations

from urllib.parse import quote

from tests.integration.scenarios.content import ABSENT, BLOB
from tests.integration.scenarios.step import Step, digest_of, step

_DIGEST = digest_of(BLOB)
_ESCAPED = quote(_DIGEST, safe="")
_UP = "/v2/up/app/blobs/uploads/"
_NO_ID = "00000000-0000-4000-8000-000000000000"
OCTETS = "application/octet-stream"


def _begin(name: str, repository: str = "up/app") -> Step:
    at = f"POST /v2/{repository}/blobs/uploads/"
    return step(f"upload-begin-{name}", at, keep=name)


def _patch(name: str, at: str, body: bytes, keep: str = "", **headers: str) -> Step:
    headers = {"Content_Type": OCTETS, **headers}
    return step(name, f"PATCH {{{at}}}", body, keep, **headers)


WHOLE: list[Step] = [
    _begin("put"),
    step("upload-put", f"PUT {{put}}&digest={_ESCAPED}", BLOB, Content_Type=OCTETS),
    step("upload-put-stored", f"GET /v2/up/app/blobs/{_DIGEST}"),
    step("upload-put-again", f"PUT {{put}}&digest={_ESCAPED}", BLOB),
    step("upload-put-status", "GET {put}"),
    _begin("other-type"),
    step(
        "upload-put-other-type",
        f"PUT {{other-type}}&digest={_ESCAPED}",
        BLOB,
        Content_Type="text/plain",
    ),
    _begin("no-type"),
    step("upload-put-no-type", f"PUT {{no-type}}&digest={_ESCAPED}", BLOB),
    _begin("put-chunked"),
    step(
        "upload-put-chunked",
        f"PUT {{put-chunked}}&digest={_ESCAPED}",
        BLOB,
        chunked=True,
    ),
    _begin("expect"),
    step(
        "upload-put-expect",
        f"PUT {{expect}}&digest={_ESCAPED}",
        BLOB,
        Expect="100-continue",
    ),
    step(
        "upload-post-whole",
        f"POST /v2/up/whole/blobs/uploads/?digest={_ESCAPED}",
        BLOB,
        Content_Type=OCTETS,
    ),
    step("upload-post-whole-stored", f"HEAD /v2/up/whole/blobs/{_DIGEST}"),
    step("upload-post-whole-wrong", f"POST {_UP}?digest={ABSENT}", BLOB),
    step("upload-post-whole-bad-digest", f"POST {_UP}?digest=sha256:00", BLOB),
    step("upload-post-with-body", f"POST {_UP}", BLOB),
    step("upload-post-json", f"POST {_UP}", b"", Content_Type="application/json"),
    step("upload-post-algorithm", f"POST {_UP}?digest-algorithm=sha512"),
    step("upload-post-unknown-algorithm", f"POST {_UP}?digest-algorithm=md5"),
    step("upload-post-without-slash", "POST /v2/up/app/blobs/uploads"),
    step("upload-get-all", f"GET {_UP}"),
    step("upload-put-all", f"PUT {_UP}", BLOB),
    step("upload-delete-all", f"DELETE {_UP}"),
    step(
        "upload-post-forwarded",
        f"POST {_UP}",
        X_Forwarded_Proto="https",
        X_Forwarded_Host="registry.example",
    ),
    step(
        "upload-post-forwarded-standard",
        f"POST {_UP}",
        Forwarded="proto=https;host=registry.example",
        X_Forwarded_Host="ignored.example",
    ),
]

CHUNKS: list[Step] = [
    _begin("c"),
    step("status-begun", "GET {c}"),
    step("status-begun-head", "HEAD {c}"),
    step("status-without-state", "GET {c.path}"),
    _patch("patch-first", "c", BLOB[:40], "c1"),
    step("status-after-first", "GET {c1}"),
    _patch("patch-second-no-length", "c1", BLOB[40:50], "c2"),
    _patch("patch-repeated-state", "c1", BLOB[40:50]),
    step("status-after-repeat", "GET {c2}"),
    step("patch-chunked", "PATCH {c2}", BLOB[50:60], "c3", chunked=True),
    step("patch-no-type", "PATCH {c3}", BLOB[60:70], "c4"),
    step("upload-options", "OPTIONS {c4}"),
    _patch("patch-of-nothing", "c4", b"", "c5"),
    _patch("patch-expect", "c5", BLOB[70:80], "c6", Expect="100-continue"),
    step("put-no-digest", "PUT {c6}"),
    step("put-bad-digest", "PUT {c6}&digest=sha256:00"),
    step("put-unknown-algorithm", f"PUT {{c6}}&digest=sha257:{'0' * 64}"),
    step("put-digest-no-digest", "PUT {c6}&digest=latest"),
    step("status-after-bad-digests", "GET {c6}"),
    step("put-last-chunk", f"PUT {{c6}}&digest={_ESCAPED}", BLOB[80:]),
    step("status-after-put", "GET {c6}"),
    step("put-last-chunk-stored", f"GET /v2/up/app/blobs/{_DIGEST}"),
]

TYPES: list[Step] = [
    _begin("text"),
    step("patch-text", "PATCH {text}", b"text", Content_Type="text/plain"),
    _begin("json"),
    step("patch-json", "PATCH {json}", b"{}", Content_Type="application/json"),
    _begin("two"),
    step(
        "patch-parameter",
        "PATCH {two}",
        b"octets",
        Content_Type="application/octet-stream; charset=binary",
    ),
]

RANGES: list[Step] = [
    _begin("r"),
    _patch("range-first", "r", BLOB[:40], "r1", Content_Range="0-39"),
    _patch("range-second", "r1", BLOB[40:60], "r2", Content_Range="40-59"),
    _patch("range-with-unit", "r2", BLOB[60:70], "r3", Content_Range="bytes 60-69/100"),
    step("range-status", "GET {r3}"),
    step(
        "range-put",
        f"PUT {{r3}}&digest={_ESCAPED}",
        BLOB[70:],
        Content_Range="70-99",
        Content_Type=OCTETS,
    ),
    _begin("gap"),
    _patch("range-not-at-zero", "gap", BLOB[:5], Content_Range="5-9"),
    _begin("back"),
    _patch("range-back-first", "back", BLOB[:40], "back1", Content_Range="0-39"),
    _patch("range-repeated", "back1", BLOB[:40], Content_Range="0-39"),
    _begin("length"),
    _patch("range-too-short", "length", BLOB[:5], Content_Range="0-9"),
    _begin("reverse"),
    _patch("range-backwards", "reverse", BLOB[:5], Content_Range="4-0"),
    _begin("words"),
    _patch("range-malformed", "words", BLOB[:5], Content_Range="first-last"),
    _begin("put-gap"),
    step(
        "range-put-not-at-zero",
        f"PUT {{put-gap}}&digest={_ESCAPED}",
        BLOB,
        Content_Range="10-109",
    ),
]

ENDS: list[Step] = [
    _begin("wrong"),
    step("wrong-digest", f"PUT {{wrong}}&digest={ABSENT}", BLOB),
    step("wrong-digest-status", "GET {wrong}"),
    step("wrong-digest-stored", f"HEAD /v2/up/app/blobs/{ABSENT}"),
    _begin("cancel"),
    step("cancel", "DELETE {cancel}"),
    step("cancel-again", "DELETE {cancel}"),
    step("cancelled-status", "GET {cancel}"),
    step("cancelled-status-head", "HEAD {cancel}"),
    _patch("cancelled-patch", "cancel", BLOB),
    step("cancelled-put", f"PUT {{cancel}}&digest={_ESCAPED}", BLOB),
    _begin("cancel-half"),
    _patch("cancel-half-patch", "cancel-half", BLOB[:40], "cancel-half"),
    step("cancel-half-way", "DELETE {cancel-half}"),
    step("unknown-upload-get", f"GET {_UP}{_NO_ID}"),
    step("unknown-upload-patch", f"PATCH {_UP}{_NO_ID}", BLOB),
    step("unknown-upload-put", f"PUT {_UP}{_NO_ID}?digest={_ESCAPED}", BLOB),
    step("unknown-upload-delete", f"DELETE {_UP}{_NO_ID}"),
    step("unknown-upload-word", f"GET {_UP}nobody"),
    step("unknown-upload-dots", f"GET {_UP}.."),
    step("unknown-upload-junk", f"GET {_UP}a%20b"),
    step("upload-in-post", f"POST {_UP}{_NO_ID}"),
    _begin("empty"),
    step("empty-put", f"PUT {{empty}}&digest={digest_of(b'')}"),
    _begin("empty-wrong"),
    step("empty-put-wrong", f"PUT {{empty-wrong}}&digest={_ESCAPED}"),
    *[
        found
        for name in ("sha512", "sha384")
        for found in (
            _begin(name, "up/long"),
            step(f"{name}-put", f"PUT {{{name}}}&digest={digest_of(BLOB, name)}", BLOB),
            step(f"{name}-get", f"GET /v2/up/long/blobs/{digest_of(BLOB, name)}"),
            step(f"{name}-head", f"HEAD /v2/up/long/blobs/{digest_of(BLOB, name)}"),
        )
    ],
    step("sha512-also-by-sha256", f"GET /v2/up/long/blobs/{_DIGEST}"),
    _begin("sha512-wrong", "up/long"),
    step("sha512-put-wrong", f"PUT {{sha512-wrong}}&digest=sha512:{'0' * 128}", BLOB),
    _begin("sha512-short", "up/long"),
    step("sha512-put-short", f"PUT {{sha512-short}}&digest=sha512:{'0' * 64}", BLOB),
    step("sha512-delete", f"DELETE /v2/up/long/blobs/{digest_of(BLOB, 'sha512')}"),
    step("sha512-deleted", f"GET /v2/up/long/blobs/{digest_of(BLOB, 'sha512')}"),
    step("sha512-deleted-sha256", f"GET /v2/up/long/blobs/{_DIGEST}"),
]

STATES: list[Step] = [
    _begin("s"),
    _begin("t"),
    _begin("u", "up/other"),
    step("state-none-status", "GET {s.path}"),
    step("state-none-patch", "PATCH {s.path}", BLOB[:10], Content_Type=OCTETS),
    step("state-none-put", f"PUT {{t.path}}?digest={_ESCAPED}", BLOB),
    step("state-none-delete", "DELETE {s.path}"),
    _begin("s2"),
    _begin("t2"),
    step("state-empty", "GET {s2.path}?_state="),
    step("state-junk", "GET {s2.path}?_state=junk"),
    step("state-junk-patch", "PATCH {s2.path}?_state=junk", BLOB[:10]),
    step("state-junk-put", f"PUT {{s2.path}}?_state=junk&digest={_ESCAPED}", BLOB),
    step("state-junk-delete", "DELETE {s2.path}?_state=junk"),
    _begin("s3"),
    step("state-cut", "PATCH {s3.path}?_state=A{s3.state}", BLOB[:10]),
    step("state-of-another-upload", "PATCH {s3.path}?_state={t2.state}", BLOB[:10]),
    step("state-of-another-upload-get", "GET {s3.path}?_state={t2.state}"),
    step("state-of-another-repository", "PATCH {s3.path}?_state={u.state}", BLOB[:10]),
    step(
        "state-in-another-repository",
        "GET /v2/up/other/blobs/uploads/{s3.id}?_state={s3.state}",
    ),
    step("state-good-still", "PATCH {s3}", BLOB[:10], "s4", Content_Type=OCTETS),
    step("state-old-patch", "PATCH {s3}", BLOB[10:20], Content_Type=OCTETS),
    step("state-old-status", "GET {s3}"),
    step("state-old-put", f"PUT {{s3}}&digest={_ESCAPED}", BLOB[10:]),
    step("state-new-status", "GET {s4}"),
    step("state-old-delete", "DELETE {s3}"),
]
