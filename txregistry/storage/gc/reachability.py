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
    :ivar subject: the manifest that it describes.
    """

    references: tuple[Digest, ...] = ()
    subject: Digest | None = None


async def reachable(
    known: Mapping[Digest, References], roots: Iterable[Digest], turns: Turns
) -> set[Digest]:
    """Give the manifests that are reachable from these roots.

    Children of an index are reachable, and so is a manifest whose subject is:
    signatures have no tag of their own. An index is not reachable through its children.

    :param turns: yields to other work; a repository may have 100,000 manifests.
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
