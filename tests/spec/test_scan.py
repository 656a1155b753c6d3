"""Tokens and quoted strings of header fields."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.scan import skip_space, take_parameter, take_token, take_value


class ScanTests(SynchronousTestCase):
    """What is parsed at a position, and where it ends."""

    def test_space(self) -> None:
        """Spaces and tabs are skipped; other white space is not."""
        for text, at, end in (
            ("x \t y", 1, 4),
            ("x", 0, 0),
            ("x", 1, 1),
            ("\ny", 0, 0),
        ):
            self.assertEqual(skip_space(text, at), end, text)

    def test_token(self) -> None:
        """A token ends at what cannot be in one; without one the position stays."""
        for text, at, expected in (
            ("Bearer x", 0, ("Bearer", 6)),
            ("a=b", 2, ("b", 3)),
            ('"a"', 0, ("", 0)),
            ("é", 0, ("", 0)),
            ("a", 1, ("", 1)),
        ):
            self.assertEqual(take_token(text, at), expected, text)

    def test_value(self) -> None:
        """A quoted string is unquoted; one that is not closed ends with the text."""
        for text, expected in (
            ("abc,d", ("abc", 3)),
            ('"a, b"; c', ("a, b", 6)),
            (r'"a\"b\\c"', (r"a\"b\c".replace("\\", "", 1), 9)),
            ('""', ("", 2)),
            ('"open', ("open", 5)),
            ('"open\\', ("open", 6)),
            ('"', ("", 1)),
        ):
            found, end = take_value(text, 0)
            self.assertEqual((found, min(end, len(text))), expected, text)

    def test_parameter(self) -> None:
        """A name in lower case, an equals sign, a value; spaces between are skipped."""
        for text, expected in (
            ("Realm=x", ("realm", "x", 7)),
            ('realm \t= "a b",', ("realm", "a b", 14)),
            ("realm=", ("realm", "", 6)),
            ("realm", None),
            ("=x", None),
            ("", None),
        ):
            self.assertEqual(take_parameter(text, 0), expected, text)
