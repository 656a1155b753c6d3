"""Pages of lists."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.errors import PaginationNumberInvalid
from txregistry.spec.links import parse_next
from txregistry.spec.pagination import next_link, parse_page


class PaginationTests(SynchronousTestCase):
    """Pages."""

    def test_page(self) -> None:
        """Numbers from 0 up; more than the most is the most."""
        self.assertEqual(parse_page("5", "x", 1000).limit, 5)
        self.assertEqual(parse_page("0", None, 1000).limit, 0)
        self.assertEqual(parse_page("99999", None, 1000).limit, 1000)
        for absent in (None, ""):
            self.assertIsNone(parse_page(absent, None, 1000).limit)
        for text in ("-1", "x", "1.5", "9" * 30, "٣"):
            with self.assertRaises(PaginationNumberInvalid):
                parse_page(text, None, 1000)

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
