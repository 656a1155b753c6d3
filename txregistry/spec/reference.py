"""Repository names and tags: the grammar of distribution and OCI."""

from __future__ import annotations

import re

import attrs

from txregistry.spec.digest import Digest, looks_like_digest
from txregistry.spec.errors import NameInvalid, TagInvalid

#: Longest repository name without its host, in characters.
MAX_NAME_LENGTH = 255

#: Longest host in a repository name: the limit of a file name.
MAX_HOST_LENGTH = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"{_HOST_LABEL}(?:\.{_HOST_LABEL})*(?::[0-9]+)?"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_NAME = re.compile(rf"(?:({_HOST})/)?({_PATH})", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)

#: Leading components of a name; a host alone is a prefix, but no name.
_PREFIX = re.compile(rf"{_HOST}(?:/{_PATH})?|{_PATH}", re.ASCII)


def is_name_prefix(text: str) -> bool:
    """Return whether a text is a name, or may become one with ``/`` and more."""
    return _PREFIX.fullmatch(text) is not None


@attrs.frozen(order=True, cache_hash=True)
class RepositoryName:
    """A valid repository name, slashes included."""

    text: str

    @classmethod
    def parse(cls, text: str) -> RepositoryName:
        """Parse a name (OCI distribution-spec, "Pulling manifests").

        :raise NameInvalid: it is malformed or too long.
        """
        # Checked before matching, to limit the work for a hostile name.
        if len(text) > 2 * MAX_NAME_LENGTH:
            raise NameInvalid({"reason": "too long"})
        match = _NAME.fullmatch(text)
        if match is None or len(match[2]) > MAX_NAME_LENGTH:
            raise NameInvalid({"name": text})
        if len(match[1] or "") > MAX_HOST_LENGTH:
            raise NameInvalid({"reason": "its host is too long"})
        return cls(text)

    def __str__(self) -> str:
        return self.text


@attrs.frozen(order=True, cache_hash=True)
class Tag:
    """A valid tag."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Tag:
        """Parse a tag.

        :raise TagInvalid: it is malformed or too long.
        """
        if _TAG.fullmatch(text) is None:
            raise TagInvalid({"tag": text[:200]})
        return cls(text)

    def __str__(self) -> str:
        return self.text


def parse_reference(text: str) -> Digest | Tag:
    """Parse the last segment of a manifest's URL.

    :raise DigestInvalid: it has a colon, but is no valid digest.
    :raise TagInvalid: it has no colon, and is no valid tag.
    """
    return Digest.parse(text) if looks_like_digest(text) else Tag.parse(text)


def schema_tag(subject: Digest) -> Tag:
    """Return the tag that lists referrers on registries without the referrers API.

    OCI distribution-spec, "Referrers Tag Schema": at most 32 characters of the
    algorithm and 64 of the hexadecimal digits.
    """
    return Tag(f"{subject.algorithm[:32]}-{subject.hex[:64]}")
