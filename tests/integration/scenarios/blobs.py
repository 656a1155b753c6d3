"""Blobs: whole, in parts, conditionally, deleted, and mounted."""

from __future__ import annotations

from tests.integration.scenarios.content import ABSENT, BLOB, LAYER
from tests.integration.scenarios.step import Step, digest_of, push, step

_DIGEST = digest_of(BLOB)
_AT = f"/v2/blob/app/blobs/{_DIGEST}"

_RANGES = {
    "all": "bytes=0-",
    "first": "bytes=0-0",
    "some": "bytes=10-19",
    "rest": "bytes=90-",
    "past-the-end": "bytes=90-1000",
    "suffix": "bytes=-5",
    "suffix-longer-than-all": "bytes=-1000",
    "suffix-of-nothing": "bytes=-0",
    "two": "bytes=0-1,5-6",
    "one-of-two-exists": "bytes=0-1,500-",
    "overlapping": "bytes=0-9,5-14",
    "more-than-all": "bytes=0-,0-,0-",
    "beyond": "bytes=100-",
    "far-beyond": "bytes=500-600",
    "backwards": "bytes=5-2",
    "no-range": "bytes=x",
    "empty": "bytes=",
    "other-unit": "lines=1-2",
    "with-spaces": "bytes= 0-1 , 5-6",
}
_CONDITIONS = {
    "quoted": f'"{_DIGEST}"',
    "unquoted": _DIGEST,
    "weak": f'W/"{_DIGEST}"',
    "in-a-list": f'"other", "{_DIGEST}"',
    "star": "*",
    "other": f'"{ABSENT}"',
}

READ: list[Step] = [
    *push("blob-push", "blob/app", BLOB),
    *push("blob-of-nothing", "blob/app", b""),
    step("blob-get", f"GET {_AT}"),
    step("blob-head", f"HEAD {_AT}"),
    step("blob-get-accept", f"GET {_AT}", Accept="text/plain"),
    step("blob-get-gzip", f"GET {_AT}", Accept_Encoding="gzip, zstd"),
    step("blob-get-query", f"GET {_AT}?ns=docker.io"),
    step("blob-get-of-nothing", f"GET /v2/blob/app/blobs/{digest_of(b'')}"),
    step("blob-head-of-nothing", f"HEAD /v2/blob/app/blobs/{digest_of(b'')}"),
    step("blob-get-unknown", f"GET /v2/blob/app/blobs/{ABSENT}"),
    step("blob-head-unknown", f"HEAD /v2/blob/app/blobs/{ABSENT}"),
    step("blob-get-other-repository", f"GET /v2/blob/none/blobs/{_DIGEST}"),
    step("blob-get-unknown-algorithm", f"GET /v2/blob/app/blobs/sha257:{'0' * 64}"),
    step("blob-head-unknown-algorithm", f"HEAD /v2/blob/app/blobs/sha257:{'0' * 64}"),
    step("blob-get-short-digest", "GET /v2/blob/app/blobs/sha256:00"),
    step("blob-get-upper-case", f"GET /v2/blob/app/blobs/sha256:{'A' * 64}"),
    step("blob-get-no-digest", "GET /v2/blob/app/blobs/latest"),
    step("blob-get-nothing", "GET /v2/blob/app/blobs/"),
    *[
        step(f"blob-range-{kind}", f"GET {_AT}", Range=value)
        for kind, value in _RANGES.items()
    ],
    step(
        "blob-range-of-nothing",
        f"GET /v2/blob/app/blobs/{digest_of(b'')}",
        Range="bytes=0-",
    ),
    step("blob-head-range", f"HEAD {_AT}", Range="bytes=0-1"),
    step("blob-head-range-beyond", f"HEAD {_AT}", Range="bytes=500-"),
    step(
        "blob-if-range-same", f"GET {_AT}", Range="bytes=0-1", If_Range=f'"{_DIGEST}"'
    ),
    step(
        "blob-if-range-other", f"GET {_AT}", Range="bytes=0-1", If_Range=f'"{ABSENT}"'
    ),
    step(
        "blob-if-range-weak", f"GET {_AT}", Range="bytes=0-1", If_Range=f'W/"{_DIGEST}"'
    ),
    step(
        "blob-if-range-date",
        f"GET {_AT}",
        Range="bytes=0-1",
        If_Range="Wed, 21 Oct 2015 07:28:00 GMT",
    ),
    *[
        step(f"blob-if-none-match-{kind}", f"GET {_AT}", If_None_Match=value)
        for kind, value in _CONDITIONS.items()
    ],
    step("blob-head-if-none-match", f"HEAD {_AT}", If_None_Match=f'"{_DIGEST}"'),
    step("blob-if-match-same", f"GET {_AT}", If_Match=f'"{_DIGEST}"'),
    step("blob-if-match-other", f"GET {_AT}", If_Match=f'"{ABSENT}"'),
    step(
        "blob-if-modified-since",
        f"GET {_AT}",
        If_Modified_Since="Wed, 21 Oct 2099 07:28:00 GMT",
    ),
    step("blob-options", f"OPTIONS {_AT}"),
    step("blob-post", f"POST {_AT}", b"x"),
    step("blob-put", f"PUT {_AT}", b"x"),
    step("blob-patch", f"PATCH {_AT}", b"x"),
]

_GONE = f"/v2/blob/gone/blobs/{_DIGEST}"

DELETE: list[Step] = [
    *push("blob-gone", "blob/gone", BLOB),
    step("blob-delete-unknown", f"DELETE /v2/blob/gone/blobs/{ABSENT}"),
    step("blob-delete-unknown-repository", f"DELETE /v2/blob/none/blobs/{_DIGEST}"),
    step(
        "blob-delete-unknown-algorithm",
        f"DELETE /v2/blob/gone/blobs/sha257:{'0' * 64}",
    ),
    step("blob-delete-short-digest", "DELETE /v2/blob/gone/blobs/sha256:00"),
    step("blob-delete", f"DELETE {_GONE}"),
    step("blob-delete-again", f"DELETE {_GONE}"),
    step("blob-deleted-get", f"GET {_GONE}"),
    step("blob-deleted-head", f"HEAD {_GONE}"),
    step("blob-deleted-elsewhere-still", f"HEAD {_AT}"),
    *push("blob-deleted-push", "blob/gone", BLOB),
    step("blob-deleted-get-again", f"GET {_GONE}"),
]

_UPLOADS = "/v2/blob/target/blobs/uploads/"

MOUNT: list[Step] = [
    *push("mount-source", "blob/source", LAYER),
    step("mount", f"POST {_UPLOADS}?mount={digest_of(LAYER)}&from=blob/source"),
    step("mounted-get", f"GET /v2/blob/target/blobs/{digest_of(LAYER)}"),
    step("mount-again", f"POST {_UPLOADS}?mount={digest_of(LAYER)}&from=blob/source"),
    step("mount-unknown-blob", f"POST {_UPLOADS}?mount={ABSENT}&from=blob/source"),
    step("mount-unknown-source", f"POST {_UPLOADS}?mount={_DIGEST}&from=blob/none"),
    step("mount-bad-source", f"POST {_UPLOADS}?mount={_DIGEST}&from=Blob"),
    step("mount-bad-digest", f"POST {_UPLOADS}?mount=sha256:00&from=blob/source"),
    step("mount-nothing", f"POST {_UPLOADS}?from=blob/source"),
    step(
        "mount-from-anywhere",
        f"POST /v2/blob/anywhere/blobs/uploads/?mount={digest_of(LAYER)}",
    ),
    step("mount-from-anywhere-unknown", f"POST {_UPLOADS}?mount={ABSENT}"),
    step(
        "mount-from-itself",
        "POST /v2/blob/source/blobs/uploads/"
        f"?mount={digest_of(LAYER)}&from=blob/source",
    ),
    step(
        "mount-delete-from-source", f"DELETE /v2/blob/source/blobs/{digest_of(LAYER)}"
    ),
    step("mounted-get-still", f"GET /v2/blob/target/blobs/{digest_of(LAYER)}"),
]
