"""What cases push: blobs and documents, each made from the name of the case."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

import attrs

from tests.conformance.client import Client, Fields, Response
from tests.conformance.form import equal, expect, holds

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
OCTETS = "application/octet-stream"

#: The content and the digest of the empty descriptor (OCI image-spec).
EMPTY = b"{}"
#: A digest that nothing has.
NOBODY = "sha256:" + "0" * 64


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Give the digest of some content."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def fresh(client: Client, salt: object = 0, size: int = 1000) -> bytes:
    """Give content that no other case has."""
    return hashlib.shake_256(f"{client.name} {salt}".encode()).digest(size)


@attrs.frozen
class Document:
    """A manifest that is pushed."""

    content: bytes = attrs.field(repr=False)
    kind: str
    digest: str

    def descriptor(self, **fields: Any) -> dict[str, Any]:
        """Give what refers to it."""
        return {
            "mediaType": self.kind,
            "digest": self.digest,
            "size": len(self.content),
            **fields,
        }


def document(value: Any, kind: str = OCI_MANIFEST) -> Document:
    """Make a manifest; spaces and all are part of it."""
    content = json.dumps(value, indent=3).encode()
    return Document(content, kind, digest_of(content))


def descriptor(content: bytes, kind: str = OCI_LAYER, **fields: Any) -> dict[str, Any]:
    """Give what refers to a blob."""
    digest = digest_of(content)
    return {"mediaType": kind, "digest": digest, "size": len(content), **fields}


def image(
    config: dict[str, Any], *layers: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    """Give an OCI image manifest."""
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config,
        "layers": list(layers),
        **fields,
    }


def index(*children: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Give an OCI image index."""
    return {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": list(children),
        **fields,
    }


def url(client: Client, kind: str, last: str, name: str = "") -> str:
    """Give a path in a repository: of the case's own if none is named."""
    return f"/v2/{name or client.name}/{kind}/{last}"


async def get(client: Client, path: str, **headers: str) -> Response:
    """GET a path."""
    return await client.request("GET", path, None, _named(headers))


async def head(client: Client, path: str, **headers: str) -> Response:
    """HEAD a path; the answer never has a body."""
    got = await client.request("HEAD", path, None, _named(headers))
    equal(got.body, b"", "body of an answer to HEAD")
    return got


async def delete(client: Client, path: str) -> Response:
    """DELETE a path."""
    return await client.request("DELETE", path)


def _named(headers: dict[str, str]) -> Fields:
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def begin(client: Client, query: str = "", name: str = "") -> str:
    """Begin an upload; give its place."""
    got = await client.request("POST", url(client, "blobs/uploads", query, name))
    return place(expect(got, 202))


def place(got: Response) -> str:
    """Give where an answer says to go on."""
    location = got.header("Location")
    holds(location, "there is no Location")
    assert location is not None
    return location


def with_digest(location: str, digest: str) -> str:
    """Add a digest to the place of an upload, whose own query is kept."""
    separator = "&" if "?" in location else "?"
    return f"{location}{separator}digest={quote(digest, safe='')}"


async def patch(
    client: Client, location: str, content: bytes, start: int | None = None
) -> Response:
    """Send a chunk, saying where it begins unless that is not given."""
    headers = {"Content-Type": OCTETS}
    if start is not None:
        headers["Content-Range"] = f"{start}-{start + len(content) - 1}"
    return await client.request("PATCH", location, content, headers)


async def finish(
    client: Client, location: str, digest: str, content: bytes | None = None
) -> Response:
    """Complete an upload, perhaps with the last of its bytes."""
    headers = {"Content-Type": OCTETS}
    path = with_digest(location, digest)
    return await client.request("PUT", path, content, headers)


async def push_blob(
    client: Client, content: bytes, name: str = "", algorithm: str = "sha256"
) -> str:
    """Push a blob as most clients do; give its digest."""
    digest = digest_of(content, algorithm)
    location = await begin(client, "", name)
    expect(await finish(client, location, digest, content), 201)
    return digest


async def put(
    client: Client,
    pushed: Document,
    reference: str = "",
    name: str = "",
    query: str = "",
) -> Response:
    """PUT a manifest under its digest if no other reference is given."""
    path = url(client, "manifests", reference or pushed.digest, name) + query
    headers = {"Content-Type": pushed.kind}
    return await client.request("PUT", path, pushed.content, headers)


async def push(
    client: Client, value: Any, reference: str = "", kind: str = OCI_MANIFEST
) -> Document:
    """Push a document whose blobs are there."""
    pushed = document(value, kind)
    expect(await put(client, pushed, reference), 201)
    return pushed


async def blobs_of(client: Client, salt: object = 0) -> tuple[bytes, bytes]:
    """Push a configuration and a layer; give both."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "n": str(salt)})
    pair = config.encode(), fresh(client, salt)
    for content in pair:
        await push_blob(client, content)
    return pair


async def push_image(
    client: Client,
    reference: str = "",
    salt: object = 0,
    config_kind: str = OCI_CONFIG,
    **fields: Any,
) -> Document:
    """Push a whole image: a configuration, a layer, a manifest."""
    config, layer = await blobs_of(client, salt)
    value = image(descriptor(config, config_kind), descriptor(layer), **fields)
    return await push(client, value, reference)


async def push_docker_image(
    client: Client, reference: str = "", salt: object = 0
) -> Document:
    """Push a whole image in Docker's own types."""
    config, layer = await blobs_of(client, salt)
    value = image(
        descriptor(config, DOCKER_CONFIG),
        descriptor(layer, DOCKER_LAYER),
        mediaType=DOCKER_MANIFEST,
    )
    return await push(client, value, reference, DOCKER_MANIFEST)


async def push_artifact(
    client: Client,
    artifact_type: str,
    subject: Document | None = None,
    reference: str = "",
    **fields: Any,
) -> Document:
    """Push an artifact that has nothing but annotations, perhaps about a subject."""
    await push_blob(client, EMPTY)
    empty = descriptor(EMPTY, OCI_EMPTY)
    if subject is not None:
        fields["subject"] = subject.descriptor()
    value = image(empty, empty, artifactType=artifact_type, **fields)
    return await push(client, value, reference)


def next_page(got: Response) -> str | None:
    """Give where a Link header says that a list goes on."""
    link = got.header("Link")
    if link is None:
        return None
    target, _, parameters = link.partition(">")
    holds(target.startswith("<"), f"Link: {link}")
    holds('rel="next"' in parameters, f"Link: {link}")
    return target[1:]
