"""What others choose, in logs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.observe.escapes import indented, line, quoted, word


class EscapeTests(SynchronousTestCase):
    """Fields, lines, and several lines."""

    def test_word(self) -> None:
        """No space, quote, bracket or backslash; other printable ASCII stays."""
        for text, expected in (
            ("ann@example.com/x:y-_~!", "ann@example.com/x:y-_~!"),
            ("", ""),
            ("a b", r"a\x20b"),
            ('"[]\\', r"\x22\x5b\x5d\x5c"),
            ("ü\n", r"\xfc\x0a"),
            ("大\ud800", r"\u5927\ud800"),
        ):
            self.assertEqual(word(text), expected)

    def test_quoted(self) -> None:
        """Quotes and backslashes are escaped, and what is not printable ASCII."""
        for text, expected in (
            ("docker/1 (x)", '"docker/1 (x)"'),
            ('a"b\\c', r'"a\"b\\c"'),
            ("a\nb\x7f", r'"a\nb\x7f"'),
            ("ü", r'"\xfc"'),
            ("\ud800", r'"\ud800"'),
        ):
            self.assertEqual(quoted(text), expected)

    def test_line(self) -> None:
        """Letters of any script stay; what ends a line or moves a cursor does not."""
        self.assertEqual(line("größe 大小"), "größe 大小")
        self.assertEqual(line("a\nb\x1b[2J\u2028"), r"a\x0ab\x1b[2J\u2028")

    def test_indented(self) -> None:
        """Each line is indented, and ends; none is empty at the end."""
        self.assertEqual(indented("a\nb\rc\n"), "    a\n    b\\x0dc\n")
        self.assertEqual(indented(""), "    \n")

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Whatever it is, it stays on its line and can be written to a file."""
        for escape in (word, quoted, line):
            found = escape(text)
            self.assertTrue(found.isprintable(), escape)
            found.encode("utf-8")
        self.assertTrue(word(text).isascii())
