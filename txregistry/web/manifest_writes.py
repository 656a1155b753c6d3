"""``/v2/<name>/manifests/<reference>``: PUT and DELETE."""

from __future__ import annotations

from typing import cast

import attrs

from txregistry.flow.streams import TooLong
from txregistry.interfaces.access import Grant
from txregistry.interfaces.events import Action
from txregistry.interfaces.manifests import IManifestStore
from txregistry.interfaces.namespace import (
    INamespace,
    IRepository,
    ISignedRepository,
)
from txregistry.interfaces.tags import ITagStore
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
from txregistry.web.events import EventEmitter
from txregistry.web.http.request import RegistryRequest
from txregistry.web.manifests import known_reference
from txregistry.web.urls import Urls

#: What is wrong with one manifest is told up to this many times.
MAX_PROBLEMS = 100

#: Tags that one push may set.
MAX_TAGS = 100


@attrs.frozen
class ManifestWrites:
    """What changes manifests."""

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
        """Answer PUT: read, verify, store, tag."""
        request.handler = "manifest"
        wanted = parse_reference(reference)
        tags = _tags(request, wanted)
        repository = await self._namespace.repository(name=name)
        manifests = _store(repository)
        manifest = await self._read(request, wanted)
        # What it refers to is pinned before it is looked for.
        await manifests.pin(manifest=manifest)
        await self._verify(request, repository, manifest)
        await manifests.put(manifest=manifest, tags=tags)
        await self._announce_push(request, name, manifest, wanted)
        self._created(request, name, manifest, wanted, tags)
        return b""

    async def delete(
        self,
        request: RegistryRequest,
        grant: Grant,
        name: RepositoryName,
        reference: str,
    ) -> bytes:
        """Answer DELETE: a tag alone, or a manifest and the tags that stand for it."""
        request.handler = "manifest"
        wanted = known_reference(reference)
        repository = await self._namespace.repository(name=name)
        manifests = _store(repository)
        if isinstance(wanted, Tag):
            await cast(ITagStore, repository.tags).untag(tag=wanted)
            await self._events.deleted(request, name, tag=wanted)
        else:
            untagged = await manifests.delete(digest=wanted)
            await self._events.deleted(request, name, digest=wanted)
            for tag in untagged:
                await self._events.deleted(request, name, tag=tag)
        request.setResponseCode(202)
        request.setHeader(b"Content-Length", b"0")
        return b""

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
        """Find everything that is wrong.

        :raise Several: something is.
        """
        needed = requirements_of(manifest, self._policy)
        problems: list[RegistryError] = [*needed.problems]
        turns = request.turns()
        for count, wanted in enumerate([*needed.blobs, *needed.manifests], 1):
            there = _has_blob if count <= len(needed.blobs) else _has_manifest
            if not await there(repository, wanted.digest):
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
    ) -> None:
        url = self._urls.manifest(request, name, manifest.digest)
        tag = wanted if isinstance(wanted, Tag) else None
        await self._events.manifest(request, Action.PUSH, name, manifest, url, tag)

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
    """Say which tags are to be set.

    :raise TagInvalid: one of them is none.
    :raise UriTooLong: there are too many.
    """
    if isinstance(wanted, Tag):
        return [wanted]
    given = request.queries("tag")
    if len(given) > MAX_TAGS:
        raise UriTooLong({"limit": MAX_TAGS})
    return list(dict.fromkeys(Tag.parse(text) for text in given))


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
