"""The manifest value that every family parses to."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.spec.descriptor import Descriptor, notes_bytes
from txregistry.spec.digest import Digest

#: The most a manifest may weigh, in bytes (OCI distribution-spec: 4 MiB is accepted).
MAX_MANIFEST_BYTES = 4 * 1024 * 1024

#: What a manifest takes beside its document and what that says, about.
_BYTES = 1024


@attrs.frozen
class Manifest:
    """A manifest as it was received, and what it says.

    :ivar content: the document, verbatim; its digest names the manifest.
    :ivar references: what it is made of: configuration and layers, or children.
    :ivar subject: the manifest that this one refers to, if any.
    :ivar names_itself: the document says of what type it is.
    :ivar schema_version: what the document says it is.
    :ivar artifact_type: of an artifact; of an image, its configuration's type.
    """

    media_type: str
    content: bytes = attrs.field(repr=False)
    digest: Digest
    references: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    names_itself: bool = False
    schema_version: object = None

    @property
    def descriptor(self) -> Descriptor:
        """Give the descriptor of the manifest itself."""
        return Descriptor(self.digest, len(self.content), self.media_type)

    @property
    def memory_bytes(self) -> int:
        """Count the bytes that it takes in memory, about.

        What it says takes several times as much as the document, if there is a lot of
        it that is short.
        """
        parts = [*self.references, self.subject] if self.subject else self.references
        size = _BYTES + len(self.content) + notes_bytes(self.annotations)
        return size + sum(part.memory_bytes for part in parts)
