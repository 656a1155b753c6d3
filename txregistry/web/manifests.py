"""``/v2/<name>/manifests/<reference>``: GET and HEAD by tag and by digest."""

from __future__ import annotations

from typing import cast

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.web.http import NOT_MODIFIED

from txregistry.flow.streams import CHUNK_BYTES, ChunkProducer
from txregistry.interfaces.access import Grant
from txregistry.interfaces.events import Action
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.interfaces.tags import ITagFallback
from txregistry.spec import mediatypes
from txregistry.spec.accept import accepts
from txregistry.spec.descriptor import Descriptor, Platform
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestUnknown, RegistryError, TagInvalid
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import RepositoryName, Tag, parse_reference
from txregistry.web.events import EventEmitter
from txregistry.web.http.request import RegistryRequest
from txregistry.web.provenance import collect_status
from txregistry.web.transfer import describe, is_known_to_client, wanted_parts
from txregistry.web.urls import Urls

#: Types that are sent to a client whether it asked for them or not: it either knows
#: them or could not have meant another.
_ALWAYS = frozenset(mediatypes.SCHEMA1_TYPES)

#: Types that are sent as well to whoever names the digest, as distribution does.
_BY_DIGEST = _ALWAYS | {mediatypes.DOCKER_MANIFEST, mediatypes.DOCKER_LIST}

#: All types that a client may be meant to name. What is of another type is sent to
#: whoever asks for it: no client could have named it, and it is not ours to judge.
_NEGOTIABLE = frozenset(mediatypes.MANIFEST_TYPES)

#: What a client is given that knows no lists, in the place of one.
_OLD_CLIENTS = Platform("amd64", "linux")


@attrs.frozen
class Manifests:
    """The manifest resource."""

    _namespace: INamespace
    _urls: Urls
    _events: EventEmitter

    async def get(
        self,
        request: RegistryRequest,
        grant: Grant,
        name: RepositoryName,
        reference: str,
    ) -> bytes | None:
        """Answer GET and HEAD."""
        request.handler = "manifest"
        wanted = known_reference(reference)
        repository = await self._namespace.repository(name=name)
        with collect_status(request):
            if isinstance(wanted, Digest):
                descriptor = Descriptor(wanted, None)
                manifest = await self._find(request, repository, descriptor)
            else:
                manifest = await self._find_tagged(request, repository, wanted)
        answer = _respond(request, manifest, isinstance(wanted, Digest))
        told = self._events.listening and request.code != NOT_MODIFIED
        if told and isinstance(manifest, Manifest):
            await self._announce(request, name, manifest, wanted)
        if answer is None or len(answer) <= CHUNK_BYTES:
            return answer
        await _send(request, answer)
        return None

    async def _announce(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        manifest: Manifest,
        wanted: Digest | Tag,
    ) -> None:
        tag = wanted if isinstance(wanted, Tag) else None
        url = self._urls.manifest(request, name, manifest.digest)
        await self._events.manifest(request, Action.PULL, name, manifest, url, tag)

    async def _find_tagged(
        self, request: RegistryRequest, repository: IRepository, tag: Tag
    ) -> Descriptor | Manifest:
        descriptor = await repository.tags.get(tag=tag)
        try:
            found = await self._find(request, repository, descriptor)
            return await self._for_old_clients(request, repository, found)
        except RegistryError as error:
            if not ITagFallback.providedBy(repository.tags):
                raise
            older = cast(ITagFallback, repository.tags)
            descriptor = await older.fall_back(tag=tag, error=error)
        return await repository.manifests.get(digest=descriptor.digest)

    async def _for_old_clients(
        self,
        request: RegistryRequest,
        repository: IRepository,
        found: Descriptor | Manifest,
    ) -> Descriptor | Manifest:
        """Give a client that knows no lists the image it would choose from one."""
        kind = _descriptor_of(found).media_type
        given = request.headers_named("Accept")
        if kind != mediatypes.DOCKER_LIST or accepts(given, kind):
            return found
        manifest = found
        if isinstance(manifest, Descriptor):
            manifest = await repository.manifests.get(digest=manifest.digest)
        for child in manifest.references:
            if child.platform == _OLD_CLIENTS and accepts(given, child.media_type):
                return await repository.manifests.get(digest=child.digest)
        return found

    async def _find(
        self, request: RegistryRequest, repository: IRepository, wanted: Descriptor
    ) -> Descriptor | Manifest:
        if request.method == b"HEAD" and wanted.size is not None:
            # The upstream has just said all that a HEAD wants to know.
            return wanted
        return await repository.manifests.get(digest=wanted.digest)


def known_reference(text: str) -> Digest | Tag:
    """Read a reference to something that may be there.

    :raise ManifestUnknown: it can be no tag, so that nothing has it.
    :raise DigestInvalid: it is meant as a digest and is none.
    """
    try:
        return parse_reference(text)
    except TagInvalid as error:
        raise ManifestUnknown({"tag": text[:200]}) from error


def _descriptor_of(found: Descriptor | Manifest) -> Descriptor:
    return found.descriptor if isinstance(found, Manifest) else found


def _respond(
    request: RegistryRequest, found: Descriptor | Manifest, by_digest: bool
) -> bytes | None:
    descriptor = _descriptor_of(found)
    _check_accept(request, descriptor, _BY_DIGEST if by_digest else _ALWAYS)
    describe(request, descriptor, descriptor.media_type)
    if is_known_to_client(request, descriptor) or isinstance(found, Descriptor):
        return None
    if request.method == b"HEAD":
        return None
    return _cut(request, found)


async def _send(request: RegistryRequest, content: bytes) -> None:
    """Send what is long as fast as it is taken, lest each client holds a copy."""

    def part(offset: int, size: int) -> Deferred[bytes]:
        return succeed(content[offset : offset + size])

    request.write(b"")
    await ChunkProducer(part, request, 0, len(content)).start()


def _cut(request: RegistryRequest, manifest: Manifest) -> bytes:
    """Give the part of a manifest that is wanted: a containerd asks for ``0-``."""
    parts = wanted_parts(request, manifest.descriptor)
    if parts is None or len(parts) != 1:
        return manifest.content
    part = parts[0]
    request.setResponseCode(206)
    request.setHeader(b"Content-Range", part.content_range(len(manifest.content)))
    request.setHeader(b"Content-Length", b"%d" % part.size)
    return manifest.content[part.start : part.end]


def _check_accept(
    request: RegistryRequest, descriptor: Descriptor, always: frozenset[str]
) -> None:
    given = request.headers_named("Accept")
    kind = descriptor.media_type
    negotiable = kind in _NEGOTIABLE and kind not in always
    if negotiable and not accepts(given, kind):
        raise ManifestUnknown(
            {"mediaType": kind, "reason": "not in the Accept header of the request"}
        )
