"""The result of parsing a manifest of any family."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.spec.descriptor import Descriptor, annotations_bytes
from txregistry.spec.digest import Digest

#: Largest accepted manifest, in bytes (OCI distribution-spec, "Pushing Manifests").
MAX_MANIFEST_BYTES = 4 * 1024 * 1024

#: Memory of a manifest without its document and parsed fields, roughly, in bytes.
_BYTES = 1024


@attrs.frozen
class Manifest:
    """A manifest as it was received, and its parsed fields.

    :ivar content: the document, verbatim.
    :ivar digest: of the document; of a signed schema 1 document, of its payload.
    :ivar references: the configuration and layers of an image, or the children of an
        index.
    :ivar subject: the manifest that this one is a referrer of, if any.
    :ivar artifact_type: ``artifactType``, or the media type of an image's
        configuration.
    :ivar states_media_type: the document states its own media type.
    :ivar schema_version: ``schemaVersion``, whatever its type.
    """

    media_type: str
    content: bytes = attrs.field(repr=False)
    digest: Digest
    references: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    states_media_type: bool = False
    schema_version: object = None

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the manifest itself."""
        return Descriptor(self.digest, len(self.content), self.media_type)

    @property
    def memory_bytes(self) -> int:
        """The bytes that it takes in memory, roughly.

        Many short fields take several times as much as the document.
        """
        parts = [*self.references, self.subject] if self.subject else self.references
        size = _BYTES + len(self.content) + annotations_bytes(self.annotations)
        return size + sum(part.memory_bytes for part in parts)
