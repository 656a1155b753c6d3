"""Entries of lists of referrers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.referrers import Referrer
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest


class ReferrerTests(SynchronousTestCase):
    """How much memory they are counted with."""

    def test_memory(self) -> None:
        """The descriptor, the type and all annotations count."""
        descriptor = Descriptor(Digest.of(b"x"), 1)
        least = Referrer(descriptor).memory_bytes
        self.assertGreater(least, descriptor.memory_bytes)
        typed = Referrer(descriptor, "x" * 1000).memory_bytes
        self.assertGreaterEqual(typed, least + 1000)
        noted = Referrer(descriptor, None, {"a": "x" * 1000}).memory_bytes
        self.assertGreaterEqual(noted, least + 1000)
