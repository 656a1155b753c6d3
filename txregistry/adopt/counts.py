"""What was counted in a storage directory."""

from __future__ import annotations

import attrs

#: Examples that are kept of each oddity.
EXAMPLES = 5


@attrs.define
class Oddity:
    """Something that is not as it should be: how often, and where for example."""

    count: int = 0
    examples: list[str] = attrs.field(factory=list)


@attrs.define
class Survey:
    """What was found.

    :ivar scheduled: entries of ``scheduler-state.json``.
    :ivar has_state: there is such a file, which only a cache has.
    :ivar verified: blobs that were hashed; those that differ are ``damaged`` oddities.
    :ivar oddities: by their kind, see ``differences``.
    """

    root: str
    repositories: int = 0
    tags: int = 0
    manifests: int = 0
    schema1: int = 0
    layers: int = 0
    blobs: int = 0
    bytes: int = 0
    uploads: int = 0
    upload_bytes: int = 0
    scheduled: int = 0
    has_state: bool = False
    free_bytes: int = 0
    verified: int = 0
    oddities: dict[str, Oddity] = attrs.field(factory=dict)

    def odd(self, kind: str, path: str) -> None:
        """Count an oddity."""
        oddity = self.oddities.setdefault(kind, Oddity())
        oddity.count += 1
        if len(oddity.examples) < EXAMPLES:
            oddity.examples.append(path)
