"""A descriptor names content: what it is, how long, and its digest."""

from __future__ import annotations

from collections.abc import Mapping
from sys import getsizeof

import attrs

from txregistry.spec.digest import Digest
from txregistry.spec.mediatypes import OCTET_STREAM

#: What a descriptor takes beside its texts, its digest included, about.
_BYTES = 450

#: What an annotation takes beside its texts, about.
_NOTE_BYTES = 100


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

    @property
    def memory_bytes(self) -> int:
        """Count the bytes that it takes in memory, about: any of its texts is long."""
        size = _BYTES + getsizeof(self.media_type) + getsizeof(self.urls)
        if self.platform is not None:
            size += getsizeof(self.platform.architecture) + getsizeof(self.platform.os)
        return size + sum(map(getsizeof, self.urls))


def notes_bytes(annotations: Mapping[str, str]) -> int:
    """Count the bytes that annotations take in memory, about."""
    texts = (text for pair in annotations.items() for text in pair)
    return _NOTE_BYTES * len(annotations) + sum(map(getsizeof, texts))
