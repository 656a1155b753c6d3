"""Media types of manifests, indexes and layers (Docker and OCI)."""

from __future__ import annotations

OCTET_STREAM = "application/octet-stream"
JSON = "application/json"

DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"

#: All supported manifest types, for ``Accept``; preferred ones first.
MANIFEST_TYPES = (
    OCI_INDEX,
    OCI_MANIFEST,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1_SIGNED,
    DOCKER_SCHEMA1,
)

INDEX_TYPES = frozenset((OCI_INDEX, DOCKER_LIST))

DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar"

#: Layers that need not be in the registry: clients get them from their URLs.
FOREIGN_LAYERS = frozenset(
    (
        DOCKER_FOREIGN_LAYER,
        _NONDISTRIBUTABLE,
        f"{_NONDISTRIBUTABLE}+gzip",
        f"{_NONDISTRIBUTABLE}+zstd",
    )
)

_OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"

#: Layers of OCI images that must be in the registry, and may have URLs as well.
OCI_LAYERS = frozenset((_OCI_LAYER, f"{_OCI_LAYER}+gzip", f"{_OCI_LAYER}+zstd"))

SCHEMA1_TYPES = frozenset((DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED))
