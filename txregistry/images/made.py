"""When an image was built, as its configuration says (OCI image-spec, "created")."""

from __future__ import annotations

from txregistry.flow.deferred import deferred
from txregistry.flow.rfc3339 import read_time
from txregistry.flow.streams import BoundedConsumer, ShortRead
from txregistry.images.closure import walk_image
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.namespace import IRepository
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.nesting import read_json

#: Bytes of a configuration that are read.
MAX_CONFIG_BYTES = 256 * 1024


@deferred
async def made_at(repository: IRepository, top: Digest) -> float | None:
    """Fire with when an image was built, in seconds since the epoch.

    It fires with ``None`` if that is not known: its configuration is not here, or is
    large, or does not say. Builds that are to be repeated say 1970, which is no time.

    :param repository: of the local storage.
    :param top: of an index the first image that is here counts.
    """
    try:
        config = await _config(repository, top)
        return None if config is None else created_in(await _read(repository, config))
    except (DriverError, RegistryError, ShortRead):
        return None


async def _config(repository: IRepository, top: Digest) -> Digest | None:
    manifests = repository.manifests
    async for part in walk_image(lambda digest: manifests.get(digest=digest), top):
        if part.manifest is not None and not part.is_index:
            # The configuration is the first thing that the manifest of an image names.
            references = part.manifest.references
            return references[0].digest if references else None
    return None


async def _read(repository: IRepository, digest: Digest) -> bytes:
    consumer = BoundedConsumer(MAX_CONFIG_BYTES)
    blob = await repository.blobs.open(digest=digest)
    try:
        if blob.size <= MAX_CONFIG_BYTES:
            await blob.read(consumer=consumer)
    finally:
        blob.close()
    return consumer.content


def created_in(config: bytes) -> float | None:
    """Return the time that a configuration states; ``None`` for none (pure)."""
    try:
        found = read_json(config)
        created = found.get("created") if isinstance(found, dict) else None
        at = read_time(created) if isinstance(created, str) else 0.0
    except ValueError:
        return None
    return at if at > 0 else None
