"""Expressions of a configuration, searched for in what others send."""

from __future__ import annotations

from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.patterns import Pattern


class PatternTests(SynchronousTestCase):
    """What Go's engine takes, and finds."""

    def test_found(self) -> None:
        """Expressions as people write them for Go."""
        for pattern, text, expected in (
            (r"^https?://([^/]+\.)*example\.com/", "https://a.b.example.com/x", True),
            (r"^https?://([^/]+\.)*example\.com/", "https://example.net/", False),
            (r"^https?://[\w.-]+(:\d+)?/(?i:team)/", "https://h:5000/TEAM/", True),
            (r"\.(png|tar\.gz)$", "https://h/a.tar.gz", True),
            (r"(?i)^HTTPS", "https://", True),
            (r"a(?i)b", "aB", True),
            (r"^[[:alpha:]]+\z", "abc", True),
            (r"^[[:alpha:]]+\z", "ab1", False),
            (r"a$", "a\n", False),
            ("", "anything", True),
        ):
            found = Pattern.parse(pattern).found_in(text)
            self.assertEqual(found, expected, (pattern, text))

    def test_linear(self) -> None:
        """A URL of thousands of dots takes no time to speak of."""
        pattern = Pattern.parse(r"^https?://([^/]+\.)*example\.com/")
        begin = process_time()
        self.assertFalse(pattern.found_in("https://" + "a." * 20_000))
        self.assertLess(process_time() - begin, 5.0)

    def test_any_text(self) -> None:
        """Half a character, and what is no text of any language, are text."""
        pattern = Pattern.parse("^a.b$")
        self.assertTrue(pattern.found_in("a\u00e9b"))
        self.assertFalse(pattern.found_in("a\x00\x00b"))
        self.assertFalse(pattern.found_in("\ud800"))

    def test_refused(self) -> None:
        """What takes another time, or is none, is told with its reason."""
        for text in (r"(a)\1", "(?=a)", "(?<!a)b", "a{1,5000}", "(", "a**", "(?>a)"):
            with self.assertRaises(ValueError) as caught:
                Pattern.parse(text)
            self.assertRegex(str(caught.exception), "^[a-z]", text)
