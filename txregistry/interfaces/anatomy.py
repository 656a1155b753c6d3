"""Contract for what a stored image is made of."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName


@attrs.frozen
class Layer:
    """A blob of an image.

    :ivar is_here: its content is stored.
    :ivar shared_with: how many other repositories hold it; ``None`` if it is not known.
    """

    digest: str
    media_type: str
    size: int
    is_here: bool
    shared_with: int | None


@attrs.frozen
class Variant:
    """One manifest of an image that names blobs.

    :ivar platform: as ``OS/ARCHITECTURE``; empty if the image does not say.
    :ivar is_here: the manifest itself is stored.
    """

    platform: str
    digest: str
    media_type: str
    is_here: bool
    layers: tuple[Layer, ...] = ()

    @property
    def size(self) -> int:
        """Return the bytes of all its blobs."""
        return sum(layer.size for layer in self.layers)


@attrs.frozen
class Reference:
    """A manifest that refers to an image, such as a signature or an SBOM."""

    digest: str
    kind: str
    size: int


@attrs.frozen
class ImageAnatomy:
    """What an image is made of.

    :ivar variants: of an index its children, else one; a bounded number.
    :ivar references: likewise; those of the manifest on top.
    :ivar made_at: when it was built, in seconds since the epoch; ``None`` if it does
        not say.
    """

    digest: str
    media_type: str
    variants: tuple[Variant, ...]
    references: tuple[Reference, ...]
    made_at: float | None = None


class IAnatomist(Interface):
    """Looks at what is stored, and asks no upstream."""

    def dissect(name: RepositoryName, top: Digest) -> Deferred[ImageAnatomy]:
        """Fire with what an image is made of; fail with ``ManifestUnknown``."""

    def made_at(name: RepositoryName, top: Digest) -> Deferred[float | None]:
        """Fire with when an image was built, as :attr:`ImageAnatomy.made_at`."""
