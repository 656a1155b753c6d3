"""Links to the next page of a list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.links import MAX_LENGTH, MAX_LINES, parse_next
from txregistry.spec.pagination import next_link


class LinkTests(SynchronousTestCase):
    """The relation ``next``."""

    def test_links(self) -> None:
        """What we send we can read, and what others send."""
        link = next_link("/v2/a/tags/list", 2, "a+b")
        self.assertEqual(parse_next([link]), "/v2/a/tags/list?last=a%2Bb&n=2")
        for text in (
            "<x>; rel=next",
            '<x>;REL="Next"',
            '<y>; rel=prev, <x>; rel="next"',
            '<y>; title="<z>; rel=next"; rel=last, <x>; rel="prev next"',
            "<x> ; title=a ; rel = next",
            '<y>;rel=prev;rel=next,<x>;rel="next";rel=prev',
        ):
            self.assertEqual((text, parse_next(["", text])), (text, "x"))
        for text in ("", "<x>; rel=prev", "x; rel=next", "<x", "<x>; rel", "<" * 99):
            self.assertIsNone(parse_next([text]))

    def test_limits(self) -> None:
        """So many lines are read, and so much of each."""
        link = "<x>; rel=next"
        room = MAX_LENGTH - len(link)
        self.assertEqual(parse_next([*[""] * (MAX_LINES - 1), link]), "x")
        self.assertIsNone(parse_next([*[""] * MAX_LINES, link]))
        self.assertEqual(parse_next([" " * room + link]), "x")
        self.assertIsNone(parse_next([" " * (room + 1) + link]))

    @given(st.text(max_size=100))
    def test_any_text(self, text: str) -> None:
        """Whatever is sent, reading it ends."""
        parse_next([text])
