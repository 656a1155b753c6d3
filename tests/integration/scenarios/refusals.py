"""What a cache, a read-only registry and one without deletes refuse; and challenges."""

from __future__ import annotations

from tests.integration.scenarios.content import ABSENT, BLOB, OCI, OCI_IMAGE
from tests.integration.scenarios.step import Step, digest_of, step

_NO_ID = "00000000-0000-4000-8000-000000000000"


def _changes(kind: str) -> list[Step]:
    """Send each request that would change something."""
    app = "/v2/ref/app"
    upload = f"{app}/blobs/uploads/{_NO_ID}"
    blob = digest_of(BLOB)
    return [
        step(f"{kind}-upload-begin", f"POST {app}/blobs/uploads/"),
        step(f"{kind}-upload-whole", f"POST {app}/blobs/uploads/?digest={blob}", BLOB),
        step(f"{kind}-mount", f"POST {app}/blobs/uploads/?mount={blob}&from=ref/other"),
        step(f"{kind}-patch", f"PATCH {upload}", BLOB),
        step(f"{kind}-put", f"PUT {upload}?digest={blob}", BLOB),
        step(f"{kind}-cancel", f"DELETE {upload}"),
        step(
            f"{kind}-manifest-put",
            f"PUT {app}/manifests/v1",
            OCI_IMAGE,
            Content_Type=OCI,
        ),
        step(
            f"{kind}-manifest-put-by-digest",
            f"PUT {app}/manifests/{digest_of(OCI_IMAGE)}",
            OCI_IMAGE,
            Content_Type=OCI,
        ),
        *_deletes(kind),
    ]


def _deletes(kind: str) -> list[Step]:
    app = "/v2/ref/app"
    return [
        step(f"{kind}-manifest-delete", f"DELETE {app}/manifests/{ABSENT}"),
        step(f"{kind}-tag-delete", f"DELETE {app}/manifests/v1"),
        step(f"{kind}-blob-delete", f"DELETE {app}/blobs/{ABSENT}"),
    ]


CACHE: list[Step] = _changes("cache")
READ_ONLY: list[Step] = [step("read-only-base", "GET /v2/"), *_changes("read-only")]
NO_DELETES: list[Step] = _deletes("no-deletes")


def challenges(kind: str) -> list[Step]:
    """Ask without saying who asks."""
    app = "/v2/auth/app"
    blob = digest_of(BLOB)
    return [
        step(f"{kind}-root", "GET /"),
        step(f"{kind}-base", "GET /v2/"),
        step(f"{kind}-base-head", "HEAD /v2/"),
        step(f"{kind}-catalogue", "GET /v2/_catalog"),
        step(f"{kind}-tags", f"GET {app}/tags/list"),
        step(f"{kind}-manifest-get", f"GET {app}/manifests/v1"),
        step(f"{kind}-manifest-head", f"HEAD {app}/manifests/v1"),
        step(f"{kind}-manifest-put", f"PUT {app}/manifests/v1", b"{}"),
        step(f"{kind}-manifest-delete", f"DELETE {app}/manifests/{ABSENT}"),
        step(f"{kind}-blob-get", f"GET {app}/blobs/{ABSENT}"),
        step(f"{kind}-blob-delete", f"DELETE {app}/blobs/{ABSENT}"),
        step(f"{kind}-upload-begin", f"POST {app}/blobs/uploads/"),
        step(
            f"{kind}-mount",
            f"POST {app}/blobs/uploads/?mount={blob}&from=auth/other",
        ),
        step(f"{kind}-upload-patch", f"PATCH {app}/blobs/uploads/{_NO_ID}", BLOB),
        step(f"{kind}-upload-status", f"GET {app}/blobs/uploads/{_NO_ID}"),
        step(f"{kind}-upload-cancel", f"DELETE {app}/blobs/uploads/{_NO_ID}"),
        step(f"{kind}-wrong-method", f"PATCH {app}/manifests/v1"),
        step(f"{kind}-no-such-route", "GET /v2/auth/app/other"),
        step(f"{kind}-wrong-password", "GET /v2/", Authorization="Basic eDp5"),
        step(f"{kind}-malformed-header", "GET /v2/", Authorization="Basic ?"),
        step(f"{kind}-right-password", "GET /v2/", Authorization="Basic dXNlcjpwYXNz"),
    ]


CHALLENGES_BEARER: list[Step] = challenges("bearer")
CHALLENGES_BASIC: list[Step] = challenges("basic")
