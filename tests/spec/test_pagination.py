"""Pages of lists."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.errors import PaginationNumberInvalid
from txregistry.spec.pagination import parse_page


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
