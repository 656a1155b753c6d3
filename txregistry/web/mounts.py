"""Mounts: blobs that a POST takes from another repository (OCI distribution-spec)."""

from __future__ import annotations

from typing import cast

from txregistry.interfaces.access import Grant
from txregistry.interfaces.blobs import BlobMount
from txregistry.interfaces.namespace import IBlobFinder, INamespace
from txregistry.spec.digest import Digest
from txregistry.spec.errors import Denied, DigestInvalid, NameInvalid, NameUnknown
from txregistry.spec.reference import RepositoryName
from txregistry.web.http.request import RegistryRequest


def mount_source(request: RegistryRequest) -> RepositoryName | None:
    """Return the ``from`` of a mount; ``None`` if it is absent or no valid name."""
    source = request.query("from")
    try:
        return RepositoryName.parse(source) if source else None
    except NameInvalid:
        return None


async def requested_mount(
    request: RegistryRequest, grant: Grant, namespace: INamespace
) -> BlobMount | None:
    """Return the blob to mount and its source; ``None`` to upload instead."""
    wanted = request.query("mount")
    try:
        digest = None if wanted is None else Digest.parse(wanted)
    except DigestInvalid:
        return None
    if digest is None:
        return None
    source = mount_source(request)
    if source is None and request.query("from") is None:
        source = await _find_source(digest, grant, namespace)
    if source is None or not await _is_open(namespace, source):
        return None
    return BlobMount(digest, source)


async def _is_open(namespace: INamespace, source: RepositoryName) -> bool:
    """Return whether the namespace gives a repository, and does not refuse it."""
    try:
        await namespace.repository(name=source)
    except (NameInvalid, NameUnknown, Denied):
        return False
    return True


async def _find_source(
    digest: Digest, grant: Grant, namespace: INamespace
) -> RepositoryName | None:
    """Find a repository that has the blob and that the client may pull from.

    For a mount without ``from`` (OCI distribution-spec 1.1).
    """
    if not IBlobFinder.providedBy(namespace):
        return None
    candidates = None if grant.everything else _pullable(grant)
    finder = cast(IBlobFinder, namespace)
    return await finder.holder(digest=digest, candidates=candidates)


def _pullable(grant: Grant) -> list[RepositoryName]:
    """Return the repositories that a client may pull from."""
    found = []
    for access in grant.access:
        if access.kind == "repository" and access.action in ("pull", "*"):
            try:
                found.append(RepositoryName.parse(access.name))
            except NameInvalid:
                continue  # a token may name anything
    return found
