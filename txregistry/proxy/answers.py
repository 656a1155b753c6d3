"""What an upstream has said of tags: the last answers, up to a budget in bytes."""

from __future__ import annotations

import attrs

from txregistry.flow.sized import SizedCache, size_of
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.reference import RepositoryName, Tag

#: What the last answers for the tags of all repositories together may take in memory.
MAX_BYTES = 8 * 1024 * 1024

#: What an answer takes beside its texts, about.
_SEEN_BYTES = 600


@attrs.frozen
class SeenTag:
    """What the upstream last said of a tag, and when.

    :ivar is_hint: of size and type it is known only what HEAD has told.
    """

    descriptor: Descriptor
    confirmed_at: float
    is_hint: bool = False


#: The last answers for the tags of all repositories.
TagAnswers = SizedCache[tuple[RepositoryName, Tag], SeenTag]


def make_tag_answers() -> TagAnswers:
    """Give a memory that knows no tag yet."""
    return SizedCache(MAX_BYTES)


def keep_answer(
    answers: TagAnswers, name: RepositoryName, tag: Tag, seen: SeenTag
) -> None:
    """Remember an answer in the place of an older one."""
    size = size_of(str(tag), seen.descriptor.media_type) + _SEEN_BYTES
    answers.keep((name, tag), seen, size)
