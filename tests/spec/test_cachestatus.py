"""What an answer says of where it came from."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.cachestatus import CacheStatus


class CacheStatusTests(SynchronousTestCase):
    """The headers of an answer."""

    def test_status_headers(self) -> None:
        """RFC 9211, and nothing where nothing is known."""
        self.assertEqual(CacheStatus().headers(), {})
        status = CacheStatus(forward="miss", stored=True, collapsed=True)
        self.assertEqual(
            status.headers(),
            {"Cache-Status": "txregistry; fwd=miss; stored; collapsed"},
        )
