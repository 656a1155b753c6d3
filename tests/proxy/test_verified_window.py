"""A part of a blob, while all of it is hashed."""

from __future__ import annotations

import os
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IConsumer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.streams import BoundedConsumer
from txregistry.proxy.state import HELD_BACK_BYTES
from txregistry.proxy.verified_window import VerifiedWindow
from txregistry.spec.digest import Digest
from txregistry.spec.errors import UpstreamFailed

SIZE = HELD_BACK_BYTES + 50_000
CONTENT = os.urandom(SIZE)
DIGEST = Digest.of(CONTENT)
OFFSETS = st.integers(0, SIZE)


class WindowTests(SynchronousTestCase):
    """What is passed on, and when."""

    def make(self, start: int = 0, end: int | None = None) -> VerifiedWindow:
        self.taken = BoundedConsumer(SIZE)
        return VerifiedWindow(self.taken, DIGEST, DIGEST.hasher(), start, end)

    def test_provides_the_interface(self) -> None:
        """It is a consumer."""
        verifyObject(IConsumer, self.make())

    def test_end_is_held_back(self) -> None:
        """The last bytes wait for the digest."""
        window = self.make()
        window.write(CONTENT)
        self.assertEqual(self.taken.content, CONTENT[:-HELD_BACK_BYTES])
        window.finish()
        self.assertEqual(self.taken.content, CONTENT)

    def test_wrong_content(self) -> None:
        """The end of what is wrong is never passed on."""
        window = self.make()
        window.write(CONTENT[:-1] + b"?")
        self.assertRaises(UpstreamFailed, window.finish)
        self.assertEqual(len(self.taken.content), SIZE - HELD_BACK_BYTES)

    def test_resumed(self) -> None:
        """A body that begins again is skipped as far as it is known."""
        window = self.make(10)
        window.write(CONTENT[:1000])
        window.begin(400)
        window.write(CONTENT[400:])
        window.finish()
        self.assertEqual(self.taken.content, CONTENT[10:])

    @given(OFFSETS, OFFSETS, st.lists(OFFSETS, max_size=5))
    def test_any_part(self, first: int, second: int, cuts: list[int]) -> None:
        """Whatever part is wanted, and however it comes, it is what it should be."""
        start, end = sorted((first, second))
        window = self.make(start, end)
        places = [0, *sorted(cuts), SIZE]
        for begin, stop in pairwise(places):
            window.write(CONTENT[begin:stop])
        window.finish()
        self.assertEqual(self.taken.content, CONTENT[start:end])
