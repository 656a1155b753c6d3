"""Expressions of a configuration, searched for in what others send."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.patterns import Pattern

#: Of distribution's manual, and others of the kind that people write.
WRITTEN = (
    r"^https?://([^/]+\.)*example\.com/",
    r"^https?://[\w.-]+(:\d+)?/(?i:team)/",
    r"\.(png|tar\.gz)$",
    r"(?i)^HTTPS",
    r"\bfoo\b|\Bbar",
    r"(?s)a.b",
    r"(?m)^a$",
    r"a{2,4}?b{3}",
    r"(a*)*[^a-c]\D\S\W",
    "",
)

PARTS = st.recursive(
    st.sampled_from(("a", "b", ".", "[ab]", "[^a]", r"\w", "^", "$", r"\b", "")),
    lambda inner: st.one_of(
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("{}{}".format, inner, inner),
        st.builds(
            "(?:{}){}".format,
            inner,
            st.sampled_from(("*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}")),
        ),
    ),
    max_leaves=6,
)


class PatternTests(SynchronousTestCase):
    """What is found is what Python's own engine finds, in another time."""

    def agree(self, pattern: str, text: str) -> None:
        found = re.search(pattern, text) is not None
        self.assertEqual(Pattern.parse(pattern).found_in(text), found, pattern)

    @settings(deadline=None)
    @given(PARTS, st.text("ab-", max_size=6))
    def test_any(self, pattern: str, text: str) -> None:
        """Expressions of all kinds of parts."""
        self.agree(pattern, text)

    @settings(deadline=None)
    @given(st.sampled_from(WRITTEN), st.text("aAbfor.:/-3\n", max_size=12))
    def test_written(self, pattern: str, text: str) -> None:
        """Expressions as people write them."""
        for before in ("", "https://", "https://x.y.example.com/"):
            if not (pattern.endswith("$") and text.endswith("\n")):
                self.agree(pattern, before + text)

    def test_end(self) -> None:
        """The end is the end, as for Go, also behind the end of a line."""
        self.assertFalse(Pattern.parse("a$").found_in("a\n"))
        self.assertTrue(Pattern.parse(r"a\Z").found_in("a"))

    def test_linear(self) -> None:
        """Each character is looked at once, and nothing grows with the text."""
        pattern = Pattern.parse(WRITTEN[0])
        steps: list[Any] = []
        step = Pattern._step

        def counted(*args: Any) -> Any:
            steps.append(args)
            return step(*args)

        self.patch(Pattern, "_step", counted)
        text = "https://" + "a." * 2000
        self.assertFalse(pattern.found_in(text))
        self.assertEqual(len(steps), len(text) + 1)
        self.assertLess(len(pattern._remembered), 30)
        pattern.found_in("".join(map(chr, range(32, 10_000))))
        self.assertLessEqual(len(pattern._remembered), 2000)

    def test_refused(self) -> None:
        """What takes another time, or is none, is told."""
        for text in (r"(a)\1", "(?=a)", "(?<!a)b", "a{1,5000}", "(", "a**", "(?>a)"):
            self.assertRaises(ValueError, Pattern.parse, text)
