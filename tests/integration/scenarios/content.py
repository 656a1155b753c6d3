"""What is pushed: blobs, and manifests of each kind."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from tests.integration.scenarios.step import digest_of

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
EVERYTHING = ", ".join((DOCKER, LIST, OCI, INDEX, SCHEMA1))

#: A hundred bytes, each ten alike.
BLOB = b"0123456789" * 10
LAYER = b"not really a layer"
CONFIG = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(LAYER)]},
        "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "test"}],
    }
).encode()
EMPTY = b"{}"
ABSENT = digest_of(b"never pushed")


def document(**fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2} | fields).encode()


def part(kind: str, content: bytes, **fields: Any) -> dict[str, Any]:
    found = {"mediaType": kind, "size": len(content), "digest": digest_of(content)}
    return found | fields


DOCKER_CONFIG = part("application/vnd.docker.container.image.v1+json", CONFIG)
DOCKER_LAYER = part("application/vnd.docker.image.rootfs.diff.tar.gzip", LAYER)
OCI_CONFIG = part("application/vnd.oci.image.config.v1+json", CONFIG)
OCI_LAYER = part("application/vnd.oci.image.layer.v1.tar+gzip", LAYER)
PLATFORM = {"architecture": "amd64", "os": "linux"}

DOCKER_IMAGE = document(mediaType=DOCKER, config=DOCKER_CONFIG, layers=[DOCKER_LAYER])
DOCKER_LIST = document(
    mediaType=LIST, manifests=[part(DOCKER, DOCKER_IMAGE, platform=PLATFORM)]
)
OCI_IMAGE = document(mediaType=OCI, config=OCI_CONFIG, layers=[OCI_LAYER])
OCI_INDEX = document(
    mediaType=INDEX, manifests=[part(OCI, OCI_IMAGE, platform=PLATFORM)]
)
ARTIFACT = document(
    mediaType=OCI,
    artifactType="application/vnd.example.thing",
    config=part("application/vnd.oci.empty.v1+json", EMPTY),
    layers=[part("text/plain", BLOB)],
)
REFERRER = document(
    mediaType=OCI,
    artifactType="application/vnd.example.signature",
    config=part("application/vnd.oci.empty.v1+json", EMPTY),
    layers=[part("text/plain", BLOB)],
    subject=part(OCI, OCI_IMAGE),
)


def signed(repository: str, tag: str) -> tuple[bytes, str]:
    """Make a signed schema 1 manifest; give it and the digest of its payload."""
    payload = json.dumps(
        {
            "schemaVersion": 1,
            "name": repository,
            "tag": tag,
            "architecture": "amd64",
            "fsLayers": [{"blobSum": digest_of(LAYER)}],
            "history": [{"v1Compatibility": json.dumps({"id": "1" * 64})}],
        },
        indent=3,
    ).encode()
    length = len(payload) - len(b"\n}")
    protected = json.dumps(
        {
            "formatLength": length,
            "formatTail": _b64(payload[length:]),
            "time": "2020-01-01T00:00:00Z",
        }
    ).encode()
    key = ec.generate_private_key(ec.SECP256R1())
    asn1 = key.sign(f"{_b64(protected)}.{_b64(payload)}".encode(), ec.ECDSA(SHA256()))
    numbers = key.public_key().public_numbers()
    signature = {
        "header": {
            "jwk": {
                "crv": "P-256",
                "kty": "EC",
                "x": _b64(numbers.x.to_bytes(32, "big")),
                "y": _b64(numbers.y.to_bytes(32, "big")),
            },
            "alg": "ES256",
        },
        "signature": _b64(
            b"".join(n.to_bytes(32, "big") for n in utils.decode_dss_signature(asn1))
        ),
        "protected": _b64(protected),
    }
    listed = json.dumps([signature], indent=3).replace("\n", "\n   ").encode()
    head, tail = payload[:length], payload[length:]
    return head + b',\n   "signatures": ' + listed + tail, digest_of(payload)


def _b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


#: As it is pushed, and the digest of its payload.
SIGNED, SIGNED_DIGEST = signed("man/app", "schema1")

_NAMED = {
    "<absent>": b"never pushed",
    "<artifact>": ARTIFACT,
    "<blob>": BLOB,
    "<config>": CONFIG,
    "<docker image>": DOCKER_IMAGE,
    "<docker list>": DOCKER_LIST,
    "<empty>": EMPTY,
    "<layer>": LAYER,
    "<nothing>": b"",
    "<oci image>": OCI_IMAGE,
    "<oci index>": OCI_INDEX,
    "<referrer>": REFERRER,
    "<schema 1>": SIGNED,
}
#: What to call content whose digest is seen in an answer.
NAMES = {
    digest_of(content, algorithm): name if algorithm == "sha256" else name + algorithm
    for algorithm in ("sha256", "sha384", "sha512")
    for name, content in _NAMED.items()
} | {SIGNED_DIGEST: "<schema 1>"}
