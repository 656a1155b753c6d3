"""Patterns of images, as in lists of the configuration (pure).

``docker.io/library/alpine:3.*``, ``corp/base/**``, ``team/app@sha256:…``: a glob over
names, and one over tags or a digest. Without either, all of a repository.
"""

from __future__ import annotations

import attrs

from txregistry.spec.digest import Digest
from txregistry.spec.errors import DigestInvalid
from txregistry.spec.globs import Glob

_ANY = "*"


@attrs.frozen
class ImagePattern:
    """Which images a pattern is about.

    :ivar names: of repositories, as they are stored or as clients call them.
    :ivar tags: ``None`` if it names a digest.
    :ivar digest: the manifest that it names, if it names one.
    """

    text: str
    names: Glob
    tags: Glob | None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> ImagePattern:
        """Parse a pattern.

        :raise ValueError: it is malformed.
        """
        name, at, digest = text.partition("@")
        if at:
            try:
                return cls(text, Glob.parse(name), None, Digest.parse(digest))
            except DigestInvalid as error:
                raise ValueError("expected a digest after @") from error
        name, tags = _split(text)
        if "/" in tags:
            raise ValueError("expected a name, and perhaps a tag, with * or **")
        return cls(text, Glob.parse(name), Glob.parse(tags))

    def __str__(self) -> str:
        return self.text


def _split(text: str) -> tuple[str, str]:
    """Split a tag from a name: a colon before a slash belongs to a host's port."""
    name, colon, tags = text.rpartition(":")
    if not colon or "/" in tags:
        return text, _ANY
    return name, tags
