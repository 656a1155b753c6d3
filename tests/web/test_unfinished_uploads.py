"""Limits on uploads that are not finished."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.errors import TooManyRequests
from txregistry.web.unfinished_uploads import UnfinishedUploads


class LimitTests(SynchronousTestCase):
    """How many there may be."""

    def setUp(self) -> None:
        self.uploads = UnfinishedUploads(2, 3, 100.0)

    def begin(self, user: str, upload_id: str, now: float = 0.0) -> None:
        with self.uploads.count_new(user, now) as new:
            new.upload_id = upload_id

    def refused(self, user: str, now: float = 0.0) -> str:
        error = self.assertRaises(TooManyRequests, self.begin, user, "none", now)
        return str(error.detail["reason"])

    def test_of_one(self) -> None:
        """One user may have so many; others are not concerned."""
        self.begin("ann", "1")
        self.begin("ann", "2")
        self.assertIn("of this user", self.refused("ann"))
        self.begin("bob", "3")

    def test_of_all(self) -> None:
        """All together may have so many."""
        for number, user in enumerate(("ann", "ann", "bob")):
            self.begin(user, str(number))
        self.assertIn("of all users", self.refused("cid"))

    def test_ended(self) -> None:
        """One that has ended makes room, once; others are not known."""
        self.begin("ann", "1")
        self.begin("ann", "2")
        for upload_id in ("1", "1", "unknown"):
            self.uploads.forget(upload_id)
        self.begin("ann", "3")
        self.refused("ann")

    def test_being_created(self) -> None:
        """One that is being created counts already; one that fails does not stay."""
        with self.uploads.count_new("ann", 0.0), self.uploads.count_new("ann", 0.0):
            self.refused("ann")
        with self.assertRaises(ZeroDivisionError), self.uploads.count_new("ann", 0.0):
            raise ZeroDivisionError
        self.begin("ann", "1")
        self.begin("ann", "2")

    def test_purged(self) -> None:
        """What has been purged by now is not counted any longer."""
        self.begin("ann", "1", 0.0)
        self.begin("ann", "2", 50.0)
        self.refused("ann", 99.0)
        self.begin("ann", "3", 100.0)
        self.refused("ann", 149.0)

    def test_never_purged(self) -> None:
        """Where nothing is purged all count for ever."""
        self.uploads = UnfinishedUploads(1, 0, 0.0)
        self.begin("ann", "1")
        self.refused("ann", 1e9)

    def test_no_limits(self) -> None:
        """With 0 there is no limit, of one or of all."""
        self.uploads = UnfinishedUploads()
        for number in range(100):
            self.begin("ann", str(number))
