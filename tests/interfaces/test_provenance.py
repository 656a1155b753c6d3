"""Where a service says that an answer came from."""

from __future__ import annotations

from contextvars import copy_context

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.provenance import cache_status, current_status
from txregistry.spec.cachestatus import CacheStatus


class ProvenanceTests(SynchronousTestCase):
    """The status of the answer under way."""

    def test_nobody_asked(self) -> None:
        """Outside of an answer, what is said is lost: nobody else reads it."""
        first = copy_context().run(current_status)
        first.fetched()
        self.assertFalse(copy_context().run(current_status).is_known)

    def test_asked(self) -> None:
        """Within one, it is the status that the web room reads."""
        status = CacheStatus()

        def answer() -> None:
            cache_status.set(status)
            current_status().fetched()

        copy_context().run(answer)
        self.assertTrue(status.stored)
        self.assertIsNone(cache_status.get())
