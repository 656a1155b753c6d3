"""An outage of the upstream, or its answer."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy.outage import is_answer, is_outage
from txregistry.spec.errors import (
    BlobUnknown,
    Denied,
    PreconditionFailed,
    TooManyRequests,
    Unauthorized,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)

STATUS = {"upstream": "x", "status": 500}


class AnswerTests(SynchronousTestCase):
    """Whether another question may be answered better."""

    def test_answers(self) -> None:
        """Refusals, statuses, content that is of no use, and a path left alone."""
        for error in (
            Unauthorized(),
            Denied(),
            BlobUnknown(),
            TooManyRequests(),
            UpstreamFailed(STATUS),
            UpstreamFailed({"reason": "sent no manifest"}),
            UpstreamUnavailable({"path": "/v2/a"}),
        ):
            self.assertTrue(is_answer(error), error)

    def test_no_answers(self) -> None:
        """Silence, broken connections, and an origin left alone."""
        for error in (
            UpstreamTimeout(STATUS),
            UpstreamFailed(),
            UpstreamFailed("sent"),
            UpstreamFailed({"reason": "broke the connection"}),
            UpstreamUnavailable(STATUS),
            PreconditionFailed(),
        ):
            self.assertFalse(is_answer(error), error)


class OutageTests(SynchronousTestCase):
    """Whether what is cached may be served instead."""

    def test_outages(self) -> None:
        """Failures, silence, an open circuit and a rate limit are."""
        for error in (
            UpstreamFailed(),
            UpstreamTimeout(),
            UpstreamUnavailable(),
            TooManyRequests(),
        ):
            self.assertTrue(is_outage(error), error)

    def test_obeyed(self) -> None:
        """401, 403 and 404 are not."""
        for error in (Unauthorized(), Denied(), BlobUnknown()):
            self.assertFalse(is_outage(error), error)
