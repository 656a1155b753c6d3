"""One node by itself."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.fills import IDownloadClaims
from txregistry.proxy.claims import OneNode
from txregistry.spec.digest import Digest

DIGEST = Digest.of(b"x")


class OneNodeTests(SynchronousTestCase):
    """Without other nodes."""

    def test_nobody_waits(self) -> None:
        """Whoever asks may download, at any time."""
        claims = OneNode()
        verifyObject(IDownloadClaims, claims)
        for _ in range(2):
            self.assertTrue(self.successResultOf(claims.acquire(digest=DIGEST)))
            claims.hold(digest=DIGEST)
        claims.release(digest=DIGEST)
