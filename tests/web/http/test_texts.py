"""Headers and parameters as text."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyChannel

from txregistry.web.http.texts import MAX_PARAMETERS, TextRequest


class TextTests(SynchronousTestCase):
    """What a client sent."""

    def setUp(self) -> None:
        self.request = TextRequest(DummyChannel(), False)

    def add(self, name: str, *values: bytes) -> None:
        self.request.requestHeaders.setRawHeaders(name, list(values))

    def test_headers(self) -> None:
        """The last line of a header counts, in any case; an absent one is empty."""
        self.add("Accept", b"a/b", b"c/\xe9")
        self.assertEqual(self.request.header("accept"), "c/\xe9")
        self.assertEqual(self.request.header("ACCEPT"), "c/\xe9")
        self.assertEqual(self.request.header("Range"), "")

    def test_lists(self) -> None:
        """Lines of a list are one list."""
        self.add("Accept", b"a/b", b"c/d, e/f")
        self.assertEqual(self.request.headers_named("Accept"), ["a/b", "c/d, e/f"])
        self.assertEqual(self.request.list_header("accept"), "a/b, c/d, e/f")
        self.assertEqual(self.request.list_header("Range"), "")

    def test_parameters(self) -> None:
        """The last value counts; one that is empty is there, one in no text is read."""
        self.request.take_query(b"n=1&n=2&last=&x=%ff&y=a%2Bb+c")
        self.assertEqual(self.request.query("n"), "2")
        self.assertEqual(self.request.queries("n"), ["1", "2"])
        self.assertEqual(self.request.query("last"), "")
        self.assertEqual(self.request.query("x"), "\ufffd")
        self.assertEqual(self.request.query("y"), "a+b c")
        self.assertIsNone(self.request.query("none"))

    def test_many_parameters(self) -> None:
        """So many are read; of one more, none is, and that is told."""
        self.request.take_query(b"&".join([b"a=1"] * MAX_PARAMETERS))
        self.assertFalse(self.request.has_too_many_parameters)
        self.assertEqual(len(self.request.queries("a")), MAX_PARAMETERS)
        self.request.take_query(b"&" * (MAX_PARAMETERS + 1))
        self.assertTrue(self.request.has_too_many_parameters)
        self.assertIsNone(self.request.query("a"))

    def test_no_query(self) -> None:
        """Without a query there are no parameters."""
        self.request.take_query(b"")
        self.assertFalse(self.request.has_too_many_parameters)
        self.assertIsNone(self.request.query("n"))
