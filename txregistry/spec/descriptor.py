"""A descriptor names content: what it is, how long, and its digest."""

from __future__ import annotations

import attrs

from txregistry.spec.digest import Digest
from txregistry.spec.mediatypes import OCTET_STREAM


@attrs.frozen
class Platform:
    """What the child of an index is for."""

    architecture: str
    os: str


@attrs.frozen
class Descriptor:
    """A reference to content (OCI image-spec, "Descriptors").

    :ivar size: bytes; ``None`` where an upstream has not told it.
    """

    digest: Digest
    size: int | None
    media_type: str = OCTET_STREAM
    urls: tuple[str, ...] = ()
    platform: Platform | None = None
