"""Questions and refusals."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.storagedriver.s3.answers import Failed
from txregistry.storagedriver.s3.request import Ask, Refused, with_body


class RequestTests(SynchronousTestCase):
    """What is told of them."""

    def test_text(self) -> None:
        """A line for logs has no value of the query."""
        ask = Ask("GET", "a/b", (("uploadId", "secret"),))
        self.assertEqual(str(ask), "GET /a/b?uploadId")
        self.assertEqual(str(Ask("PUT", "a")), "PUT /a")

    def test_body(self) -> None:
        """A body comes with its hash."""
        ask = with_body(Ask("PUT", "a"), b"")
        self.assertEqual(ask.sha256, Ask("PUT", "a").sha256)

    def test_kinds(self) -> None:
        """What passes, what is stale, and what is not there."""
        for failed, passing, stale, missing in (
            (Failed(503, "SlowDown"), True, False, False),
            (Failed(400, "BadDigest"), True, False, False),
            (Failed(400, "KMS.ThrottlingException"), True, False, False),
            (Failed(403), False, True, False),
            (Failed(400, "ExpiredToken"), False, True, False),
            (Failed(403, "AccessDenied"), False, False, False),
            (Failed(404, "NoSuchKey"), False, False, True),
            (Failed(404, "NoSuchBucket"), False, False, False),
        ):
            error = Refused(failed, {})
            found = (error.is_passing, error.is_stale, error.is_missing)
            self.assertEqual(found, (passing, stale, missing), failed)
