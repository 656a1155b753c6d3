"""Repository names and tags: the grammar of distribution and of OCI."""

from __future__ import annotations

import re

import attrs

from txregistry.spec.digest import Digest, looks_like_digest
from txregistry.spec.errors import NameInvalid, TagInvalid

#: Longest path part of a repository name, in characters.
MAX_NAME_LENGTH = 255

#: Longest host before it: what a file system takes as one name.
MAX_HOST_LENGTH = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"{_HOST_LABEL}(?:\.{_HOST_LABEL})*(?::[0-9]+)?"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_NAME = re.compile(rf"(?:({_HOST})/)?({_PATH})", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)


#: What a name can begin with, whole components of it: a host alone is no name.
_BEGINNING = re.compile(rf"{_HOST}(?:/{_PATH})?|{_PATH}", re.ASCII)


def may_begin_a_name(text: str) -> bool:
    """Tell whether a name can be this, or go on after it with a slash."""
    return _BEGINNING.fullmatch(text) is not None


@attrs.frozen(order=True, cache_hash=True)
class RepositoryName:
    """A repository's name, slashes included, valid by construction."""

    text: str

    @classmethod
    def parse(cls, text: str) -> RepositoryName:
        """Read a name (OCI distribution-spec, "Pulling manifests").

        :raise NameInvalid: it breaks the grammar or is too long.
        """
        # The bound comes first: it caps the work a hostile name can cause.
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
    """A tag, valid by construction."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Tag:
        """Read a tag.

        :raise TagInvalid: it breaks the grammar.
        """
        if _TAG.fullmatch(text) is None:
            raise TagInvalid({"tag": text[:200]})
        return cls(text)

    def __str__(self) -> str:
        return self.text


def parse_reference(text: str) -> Digest | Tag:
    """Read the last segment of a manifest's URL.

    :raise DigestInvalid: it has a colon and is no digest.
    :raise TagInvalid: it has none and is no tag.
    """
    return Digest.parse(text) if looks_like_digest(text) else Tag.parse(text)


def schema_tag(subject: Digest) -> Tag:
    """Give the tag under which referrers are listed where there is no API for it.

    OCI distribution-spec, "Referrers Tag Schema": at most 32 characters of the
    algorithm and 64 of the digits.
    """
    return Tag(f"{subject.algorithm[:32]}-{subject.hex[:64]}")
