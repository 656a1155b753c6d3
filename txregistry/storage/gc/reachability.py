"""Which manifests of a repository stay, from what refers to what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from txregistry.flow.turns import Turns
from txregistry.spec.digest import Digest


@attrs.frozen
class References:
    """What a manifest refers to.

    :ivar references: configuration and layers, or children.
    :ivar subject: what it says something about.
    """

    references: tuple[Digest, ...] = ()
    subject: Digest | None = None


async def reachable(
    known: Mapping[Digest, References], roots: Iterable[Digest], turns: Turns
) -> set[Digest]:
    """Give the manifests that stay if these do.

    Children of an index stay with it, and so does what refers to something that stays:
    signatures have no tag of their own. The index of a child does not stay for it.

    :param turns: let others have theirs; a repository may have 100,000 manifests.
    """
    about: dict[Digest, list[Digest]] = {}
    for digest, manifest in known.items():
        await turns.take()
        if manifest.subject is not None:
            about.setdefault(manifest.subject, []).append(digest)
    found: set[Digest] = set()
    waiting = [digest for digest in roots if digest in known]
    while waiting:
        digest = waiting.pop()
        await turns.take()
        if digest in found:
            continue
        found.add(digest)
        children = (child for child in known[digest].references if child in known)
        waiting.extend(children)
        waiting.extend(about.get(digest, ()))
    return found
