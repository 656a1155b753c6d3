"""A registry that asks nobody who it is."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.auth.open import OpenAccess
from txregistry.interfaces.access import Access, IAccessController, RequestFacts


class OpenTests(SynchronousTestCase):
    """Everything is granted."""

    def test_everything(self) -> None:
        """Whoever asks gets it at once, and has no name."""
        access = OpenAccess()
        verifyObject(IAccessController, access)
        wanted = [Access("repository", "a/b", "delete")]
        for header in ("", "Basic YTpi", "Bearer x"):
            facts = RequestFacts(authorization=header)
            grant = self.successResultOf(access.authorize(facts=facts, wanted=wanted))
            self.assertEqual(grant.user, "")
