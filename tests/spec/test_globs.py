"""Globs over names."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.globs import Glob, first_match


class GlobTests(SynchronousTestCase):
    """What a glob matches, and what is none."""

    def test_table(self) -> None:
        """One star stays within a component, two do not; the rest is literal."""
        for text, matching, others in (
            ("pause", ("pause",), ("pause/a", "a/pause", "pauses")),
            ("kube-*", ("kube-proxy", "kube-"), ("kube-a/b", "kube", "x/kube-a")),
            ("*", ("a",), ("a/b",)),
            ("**", ("a", "a/b/c"), ()),
            ("team/**", ("team/a", "team/a/b"), ("team", "teams/a")),
            ("a/*/c", ("a/b/c",), ("a/c", "a/b/b/c")),
            ("a.b", ("a.b",), ("axb",)),
            ("**/base", ("x/base", "x/y/base"), ("base",)),
            ("h:5000/*", ("h:5000/a",), ("h/a",)),
        ):
            glob = Glob.parse(text)
            for name in matching:
                self.assertTrue(glob.matches(name), (text, name))
            for name in others:
                self.assertFalse(glob.matches(name), (text, name))

    def test_malformed(self) -> None:
        """Nothing else is taken."""
        bad = ("", "/a", "a/", "a//b", "a b", "[a]", "a?", "***", "a/***", "é", "a\n")
        for text in bad:
            self.assertRaises(ValueError, Glob.parse, text)

    def test_many_wildcards(self) -> None:
        """They take no longer: a name is read once."""
        slow = Glob.parse("a*" * 50 + "b")
        self.assertFalse(slow.matches("a" * 255))

    def test_first(self) -> None:
        """The first one that matches is told."""
        globs = [Glob.parse(text) for text in ("a/*", "a/**")]
        self.assertEqual(str(first_match(globs, "a/b")), "a/*")
        self.assertEqual(str(first_match(globs, "a/b/c")), "a/**")
        self.assertIsNone(first_match(globs, "b"))
