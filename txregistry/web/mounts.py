"""Mounts: blobs that a POST takes from another repository (OCI distribution-spec)."""

from __future__ import annotations

from typing import cast

from txregistry.interfaces.access import Grant
from txregistry.interfaces.blobs import BlobMount
from txregistry.interfaces.namespace import IBlobFinder, INamespace
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    Denied,
    DigestInvalid,
    NameInvalid,
    NameUnknown,
    RegistryError,
)
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import UpstreamTable
from txregistry.web.http.request import RegistryRequest


def mount_source(
    request: RegistryRequest, upstreams: UpstreamTable
) -> RepositoryName | None:
    """Return the stored name of a mount's ``from``.

    :return: ``None`` if it is absent, no valid name, or of no known upstream.
    """
    source = request.query("from")
    try:
        name = RepositoryName.parse(source) if source else None
        return name and upstreams.find(None, name).name
    except (NameInvalid, NameUnknown):
        return None


async def requested_mount(
    request: RegistryRequest,
    grant: Grant,
    namespace: INamespace,
    upstreams: UpstreamTable,
) -> BlobMount | None:
    """Return the blob to mount and its source; ``None`` to upload instead."""
    wanted = request.query("mount")
    try:
        digest = None if wanted is None else Digest.parse(wanted)
    except DigestInvalid:
        return None
    if digest is None:
        return None
    source = mount_source(request, upstreams)
    if source is None and request.query("from") is None:
        source = await _find_source(digest, grant, namespace)
    if source is None:
        return None
    is_cached = upstreams.upstream_of(source) is not None
    if not await _is_open(namespace, source, digest, is_cached):
        return None
    return BlobMount(digest, source)


async def _is_open(
    namespace: INamespace, source: RepositoryName, digest: Digest, is_cached: bool
) -> bool:
    """Return whether the namespace gives the source, and does not refuse it.

    :param is_cached: the source is of an upstream, which may have to confirm that it
        still has the blob.
    """
    try:
        repository = await namespace.repository(name=source)
        if is_cached:
            await repository.blobs.stat(digest=digest)
    except RegistryError as error:
        # If an upstream does not answer, the client can still upload.
        if is_cached or isinstance(error, NameInvalid | NameUnknown | Denied):
            return False
        raise
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
