"""What is told of a manifest that is gone in part."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.manifests import PartlyDeleted
from txregistry.spec.errors import envelope
from txregistry.spec.reference import Tag


class PartlyDeletedTests(SynchronousTestCase):
    """The error that a client gets."""

    def test_told(self) -> None:
        """It is temporary, and names the tags that are gone."""
        error = PartlyDeleted([Tag("a"), Tag("b")], "storage: broken")
        self.assertEqual((error.status, error.tags), (503, [Tag("a"), Tag("b")]))
        (told,) = envelope(error)["errors"]
        self.assertEqual(told["code"], "UNAVAILABLE")
        detail = {"reason": "storage: broken", "deleted tags": ["a", "b"]}
        self.assertEqual(told["detail"], detail)
