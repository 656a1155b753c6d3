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
from txregistry.web.transfer import describe, is_not_modified, wanted_parts
from txregistry.web.urls import Urls

#: Types that are sent even if ``Accept`` does not list them: a client that lists no
#: types may know only these.
_SENT_UNASKED = frozenset(mediatypes.SCHEMA1_TYPES)

#: Types that are sent unasked for a request by digest, as by distribution.
_SENT_UNASKED_BY_DIGEST = _SENT_UNASKED | {
    mediatypes.DOCKER_MANIFEST,
    mediatypes.DOCKER_LIST,
}

#: Types that ``Accept`` decides about. Other types are always sent: no client can list
#: them all.
_NEGOTIABLE = frozenset(mediatypes.MANIFEST_TYPES)

#: The image of a manifest list that a client gets which does not accept lists.
_DEFAULT_PLATFORM = Platform("amd64", "linux")


@attrs.frozen
class Manifests:
    """The manifest resource, for GET and HEAD."""

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
        """Answer GET and HEAD; emit a pull event if a manifest was read for it."""
        request.handler = "manifest"
        wanted = parse_existing_reference(reference)
        repository = await self._namespace.repository(name=name)
        with collect_status(request):
            if isinstance(wanted, Digest):
                descriptor = Descriptor(wanted, None)
                manifest = await self._find(request, repository, descriptor)
            else:
                manifest = await self._find_tagged(request, repository, wanted)
        answer = _respond(request, manifest, isinstance(wanted, Digest))
        is_reported = self._events.listening and request.code != NOT_MODIFIED
        if is_reported and isinstance(manifest, Manifest):
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
            return await self._for_clients_without_lists(request, repository, found)
        except RegistryError as error:
            if not ITagFallback.providedBy(repository.tags):
                raise
            older = cast(ITagFallback, repository.tags)
            descriptor = await older.fall_back(tag=tag, error=error)
        return await repository.manifests.get(digest=descriptor.digest)

    async def _for_clients_without_lists(
        self,
        request: RegistryRequest,
        repository: IRepository,
        found: Descriptor | Manifest,
    ) -> Descriptor | Manifest:
        """Return the linux/amd64 image of a list to a client that accepts no lists."""
        kind = _descriptor_of(found).media_type
        accepted = request.headers_named("Accept")
        if kind != mediatypes.DOCKER_LIST or accepts(accepted, kind):
            return found
        manifest = found
        if isinstance(manifest, Descriptor):
            manifest = await repository.manifests.get(digest=manifest.digest)
        for child in manifest.references:
            if child.platform == _DEFAULT_PLATFORM and accepts(
                accepted, child.media_type
            ):
                return await repository.manifests.get(digest=child.digest)
        return found

    async def _find(
        self, request: RegistryRequest, repository: IRepository, wanted: Descriptor
    ) -> Descriptor | Manifest:
        if request.method == b"HEAD" and wanted.size is not None:
            # The tag lookup returned all that a HEAD needs.
            return wanted
        return await repository.manifests.get(digest=wanted.digest)


def parse_existing_reference(text: str) -> Digest | Tag:
    """Parse a reference that a client reads or deletes.

    :raise ManifestUnknown: it is not a valid tag, so no manifest can have it.
    :raise DigestInvalid: it looks like a digest and is not valid.
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
    _check_accept(
        request, descriptor, _SENT_UNASKED_BY_DIGEST if by_digest else _SENT_UNASKED
    )
    describe(request, descriptor, descriptor.media_type)
    if is_not_modified(request, descriptor) or isinstance(found, Descriptor):
        return None
    if request.method == b"HEAD":
        return None
    return _requested_part(request, found)


async def _send(request: RegistryRequest, content: bytes) -> None:
    """Send a long manifest at the client's pace, so that no copy is buffered for it."""

    def part(offset: int, size: int) -> Deferred[bytes]:
        return succeed(content[offset : offset + size])

    request.write(b"")
    await ChunkProducer(part, request, 0, len(content)).start()


def _requested_part(request: RegistryRequest, manifest: Manifest) -> bytes:
    """Return the requested range of a manifest: containerd asks for ``0-``.

    A request for several ranges gets the whole, as RFC 9110, 14.2 permits.
    """
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
    accepted = request.headers_named("Accept")
    kind = descriptor.media_type
    negotiable = kind in _NEGOTIABLE and kind not in always
    if negotiable and not accepts(accepted, kind):
        raise ManifestUnknown(
            {"mediaType": kind, "reason": "not in the Accept header of the request"}
        )
