"""What a client is told of an error."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.errors import (
    NameInvalid,
    TooManyRequests,
    envelope,
)


class ErrorTests(SynchronousTestCase):
    """Errors."""

    def test_envelope(self) -> None:
        """The specification's document; no detail where there is none."""
        found = envelope(NameInvalid({"name": "A"}), TooManyRequests())
        self.assertEqual(
            found,
            {
                "errors": [
                    {
                        "code": "NAME_INVALID",
                        "message": "invalid repository name",
                        "detail": {"name": "A"},
                    },
                    {"code": "TOOMANYREQUESTS", "message": "too many requests"},
                ]
            },
        )

    def test_retry_after(self) -> None:
        """A wait is told in whole seconds, at least one."""
        self.assertEqual(TooManyRequests(None, 0.2).headers, {"Retry-After": "1"})
        self.assertEqual(TooManyRequests().headers, {})
