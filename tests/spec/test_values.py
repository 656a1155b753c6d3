"""Values as JSON."""

from __future__ import annotations

import json

import attrs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.eviction import Stays
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.spec.values import as_values


@attrs.frozen
class Some:
    digest: Digest
    name: RepositoryName
    tag: Tag
    stays: Stays | None
    inner: tuple[Stays, ...]


class ValuesTests(SynchronousTestCase):
    """What is shown is JSON."""

    def test_values(self) -> None:
        """Enumerations by their values, names and digests as text."""
        digest = Digest.of(b"")
        some = Some(digest, RepositoryName("a"), Tag("b"), Stays.READ, (Stays.PINNED,))
        found = json.loads(json.dumps(as_values(some)))
        self.assertEqual(
            found,
            {
                "digest": str(digest),
                "name": "a",
                "tag": "b",
                "stays": "is being read",
                "inner": ["belongs to a pinned image"],
            },
        )
