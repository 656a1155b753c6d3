"""The upstream's last answers about tags, up to a budget in bytes."""

from __future__ import annotations

import attrs

from txregistry.flow.sized import SizedCache, size_of
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.reference import RepositoryName, Tag

#: Bytes of memory for the last answers about the tags of all repositories.
MAX_BYTES = 8 * 1024 * 1024

#: Approximate bytes of an answer beside its texts.
_SEEN_BYTES = 600


@attrs.frozen
class SeenTag:
    """The upstream's last answer about a tag, and its time.

    :ivar is_hint: size and type are known only from HEAD.
    """

    descriptor: Descriptor
    confirmed_at: float
    is_hint: bool = False


#: The last answers for the tags of all repositories.
TagAnswers = SizedCache[tuple[RepositoryName, Tag], SeenTag]


def make_tag_answers() -> TagAnswers:
    """Return an empty cache of answers."""
    return SizedCache(MAX_BYTES)


def remember_answer(
    answers: TagAnswers, name: RepositoryName, tag: Tag, seen: SeenTag
) -> None:
    """Cache an answer, replacing an older one."""
    size = size_of(str(tag), seen.descriptor.media_type) + _SEEN_BYTES
    answers.put((name, tag), seen, size)
