"""Images as clients name them (pure)."""

from __future__ import annotations

import attrs

from txregistry.spec.digest import Digest
from txregistry.spec.errors import DigestInvalid, NameInvalid, NameUnknown, TagInvalid
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.spec.upstreams import UpstreamTable

_LATEST = Tag("latest")


@attrs.frozen
class ImageName:
    """One image of a repository.

    :ivar repository: as it is stored.
    :ivar tag: ``None`` for an image by its digest alone.
    :ivar digest: which the image must have; ``None`` for what the tag stands for.
    """

    repository: RepositoryName
    tag: Tag | None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str, upstreams: UpstreamTable) -> ImageName:
        """Parse ``NAME``, ``NAME:TAG``, ``NAME@DIGEST`` or ``NAME:TAG@DIGEST``.

        Without tag and digest it is ``latest``, as clients have it.

        :raise ValueError: it names no image of a known upstream; the message says why.
        """
        rest = text.strip().removeprefix("docker://")
        rest, at, digest = rest.partition("@")
        head, slash, last = rest.rpartition("/")
        last, colon, tag = last.partition(":")
        try:
            return cls(
                find_repository(f"{head}{slash}{last}", upstreams),
                Tag.parse(tag) if colon else None if at else _LATEST,
                Digest.parse(digest) if at else None,
            )
        except TagInvalid as error:
            raise ValueError(f"{text!r}: {tag!r} is no tag") from error
        except DigestInvalid as error:
            raise ValueError(f"{text!r}: {digest!r} is no digest") from error

    @property
    def reference(self) -> str:
        """Return what stands after the repository."""
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{tag}{digest}"

    def __str__(self) -> str:
        return f"{self.repository}{self.reference}"


def find_repository(text: str, upstreams: UpstreamTable) -> RepositoryName:
    """Return the stored name of a repository that is named as clients name it.

    :raise ValueError: it is no name, or of no known upstream; the message says why.
    """
    try:
        return upstreams.find(None, RepositoryName.parse(text)).name
    except NameInvalid as error:
        raise ValueError(f"{text!r} is no name of a repository") from error
    except NameUnknown as error:
        raise ValueError(f"{text!r}: no upstream of this cache has it") from error
