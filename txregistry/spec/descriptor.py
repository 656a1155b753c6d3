"""Descriptors: media type, size and digest of content (OCI image-spec)."""

from __future__ import annotations

from collections.abc import Mapping
from sys import getsizeof

import attrs

from txregistry.spec.digest import Digest
from txregistry.spec.mediatypes import OCTET_STREAM

#: Memory of a descriptor and its digest without its strings, roughly, in bytes.
_BYTES = 450

#: Memory of an annotation without its strings, roughly, in bytes.
_ANNOTATION_BYTES = 100


@attrs.frozen
class Platform:
    """The platform of an index's child.

    :ivar variant: of the architecture, such as ``v7``; platforms are equal without it.
    """

    architecture: str
    os: str
    variant: str = attrs.field(default="", eq=False)


@attrs.frozen
class Descriptor:
    """A reference to content (OCI image-spec, "Descriptors").

    :ivar size: in bytes; ``None`` if the document does not have it (schema 1).
    """

    digest: Digest
    size: int | None
    media_type: str = OCTET_STREAM
    urls: tuple[str, ...] = ()
    platform: Platform | None = None

    @property
    def memory_bytes(self) -> int:
        """The bytes that it takes in memory, roughly; its strings may be long."""
        size = _BYTES + getsizeof(self.media_type) + getsizeof(self.urls)
        if self.platform is not None:
            found = self.platform
            for text in (found.architecture, found.os, found.variant):
                size += getsizeof(text)
        return size + sum(map(getsizeof, self.urls))


def annotations_bytes(annotations: Mapping[str, str]) -> int:
    """Return the bytes that annotations take in memory, roughly."""
    texts = (text for pair in annotations.items() for text in pair)
    return _ANNOTATION_BYTES * len(annotations) + sum(map(getsizeof, texts))
