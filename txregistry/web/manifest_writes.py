"""``/v2/<name>/manifests/<reference>``: PUT and DELETE."""

from __future__ import annotations

from typing import cast

import attrs

from txregistry.flow.streams import TooLong
from txregistry.interfaces.access import Grant
from txregistry.interfaces.events import Action
from txregistry.interfaces.manifests import IManifestStore, PartlyDeleted
from txregistry.interfaces.namespace import (
    INamespace,
    IRepository,
    ISignedRepository,
)
from txregistry.interfaces.tags import ITagStore, Tags
from txregistry.spec import mediatypes
from txregistry.spec.digest import CANONICAL, Digest
from txregistry.spec.errors import (
    BlobUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestTooLarge,
    RegistryError,
    Several,
    Unsupported,
    UriTooLong,
)
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES, Manifest
from txregistry.spec.manifest.push import PushPolicy, read_pushed, requirements_of
from txregistry.spec.reference import RepositoryName, Tag, parse_reference
from txregistry.web.audit import MAX_TAGS
from txregistry.web.events import EventEmitter
from txregistry.web.http.request import RegistryRequest
from txregistry.web.manifests import parse_existing_reference
from txregistry.web.urls import Urls

#: An answer lists at most this many problems of a manifest.
MAX_PROBLEMS = 100


@attrs.frozen
class ManifestWrites:
    """The manifest resource, for PUT and DELETE."""

    _namespace: INamespace
    _urls: Urls
    _events: EventEmitter
    _policy: PushPolicy

    async def put(
        self,
        request: RegistryRequest,
        grant: Grant,
        name: RepositoryName,
        reference: str,
    ) -> bytes:
        """Answer PUT: read, verify, store and tag a manifest."""
        request.handler = "manifest"
        wanted = parse_reference(reference)
        tags = _tags(request, wanted)
        repository = await self._namespace.repository(name=name)
        manifests = _store(repository)
        manifest = await self._read(request, wanted)
        # Pin first: a collection between the check and the write would delete what the
        # check has found.
        await manifests.pin(manifest=manifest)
        await self._verify(request, repository, manifest)
        await manifests.put(manifest=manifest, tags=tags)
        await self._announce_push(request, name, manifest, wanted, tags)
        self._created(request, name, manifest, wanted, tags)
        return b""

    async def delete(
        self,
        request: RegistryRequest,
        grant: Grant,
        name: RepositoryName,
        reference: str,
    ) -> bytes:
        """Answer DELETE: by tag the tag only, by digest the manifest and its tags."""
        request.handler = "manifest"
        wanted = parse_existing_reference(reference)
        repository = await self._namespace.repository(name=name)
        manifests = _store(repository)
        if isinstance(wanted, Tag):
            await cast(ITagStore, repository.tags).untag(tag=wanted)
            await self._events.deleted(request, name, tag=wanted)
        else:
            await self._delete(request, name, manifests, wanted)
        request.setResponseCode(202)
        request.setHeader(b"Content-Length", b"0")
        return b""

    async def _delete(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        manifests: IManifestStore,
        digest: Digest,
    ) -> None:
        try:
            untagged = await manifests.delete(digest=digest)
            await self._events.deleted(request, name, digest=digest)
        except PartlyDeleted as error:
            await self._announce_untagged(request, name, error.tags)
            raise
        await self._announce_untagged(request, name, untagged)

    async def _announce_untagged(
        self, request: RegistryRequest, name: RepositoryName, tags: Tags
    ) -> None:
        for tag in tags:
            await self._events.deleted(request, name, tag=tag)

    async def _read(self, request: RegistryRequest, wanted: Digest | Tag) -> Manifest:
        try:
            content = await request.body.collect(MAX_MANIFEST_BYTES)
        except TooLong as error:
            raise ManifestTooLarge({"limit": MAX_MANIFEST_BYTES}) from error
        algorithm = wanted.algorithm if isinstance(wanted, Digest) else CANONICAL
        kind = request.header("Content-Type")
        manifest = read_pushed(content, kind, algorithm)
        if isinstance(wanted, Digest) and manifest.digest != wanted:
            raise DigestInvalid(
                {"expected": str(wanted), "found": str(manifest.digest)}
            )
        return manifest

    async def _verify(
        self, request: RegistryRequest, repository: IRepository, manifest: Manifest
    ) -> None:
        """Check a manifest against the policy, and that what it refers to exists.

        :raise Several: of the problems found, at most :data:`MAX_PROBLEMS`.
        """
        demands = requirements_of(manifest, self._policy)
        problems: list[RegistryError] = [*demands.problems]
        checks = [(_has_blob, wanted) for wanted in demands.blobs]
        checks += [(_has_manifest, wanted) for wanted in demands.manifests]
        turns = request.turns()
        for exists, wanted in checks:
            if not await exists(repository, wanted.digest):
                problems.append(_missing(wanted.digest))
            await turns.take()
        if problems:
            raise Several(problems[:MAX_PROBLEMS])
        if manifest.media_type in mediatypes.SCHEMA1_TYPES:
            signed = cast(ISignedRepository, repository)
            await signed.signatures.verify(manifest=manifest)

    async def _announce_push(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        manifest: Manifest,
        wanted: Digest | Tag,
        tags: list[Tag],
    ) -> None:
        url = self._urls.manifest(request, name, manifest.digest)
        tag = wanted if isinstance(wanted, Tag) else None
        await self._events.manifest(
            request, Action.PUSH, name, manifest, url, tag, tags
        )

    def _created(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        manifest: Manifest,
        wanted: Digest | Tag,
        tags: list[Tag],
    ) -> None:
        headers = request.responseHeaders
        request.setResponseCode(201)
        url = self._urls.manifest(request, name, manifest.digest)
        headers.setRawHeaders("Location", [url])
        headers.setRawHeaders("Docker-Content-Digest", [str(manifest.digest)])
        headers.setRawHeaders("Content-Length", ["0"])
        if manifest.subject is not None:
            headers.setRawHeaders("OCI-Subject", [str(manifest.subject.digest)])
        if isinstance(wanted, Digest) and tags:
            headers.setRawHeaders("OCI-Tag", [str(tag) for tag in tags])


def _tags(request: RegistryRequest, wanted: Digest | Tag) -> list[Tag]:
    """Return the tags to set: the reference, or those of the query, each once.

    :raise TagInvalid: one is not a valid tag.
    :raise UriTooLong: there are more than :data:`MAX_TAGS`.
    """
    if isinstance(wanted, Tag):
        return [wanted]
    values = request.queries("tag")
    if len(values) > MAX_TAGS:
        raise UriTooLong({"limit": MAX_TAGS})
    return list(dict.fromkeys(Tag.parse(text) for text in values))


def _store(repository: IRepository) -> IManifestStore:
    if not IManifestStore.providedBy(repository.manifests):
        raise Unsupported()
    return repository.manifests


def _missing(digest: Digest) -> RegistryError:
    return ManifestBlobUnknown({"digest": str(digest)})


async def _has_manifest(repository: IRepository, digest: Digest) -> bool:
    return await repository.manifests.exists(digest=digest)


async def _has_blob(repository: IRepository, digest: Digest) -> bool:
    try:
        await repository.blobs.stat(digest=digest)
    except BlobUnknown:
        return False
    return True
