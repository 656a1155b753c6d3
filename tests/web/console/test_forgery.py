"""Actions that another site asks for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.console.forgery import ActionTokens, is_from_here


class TokensTests(SynchronousTestCase):
    """A token is one visitor's, and one start's."""

    def test_tokens(self) -> None:
        """No other visitor's, and none of another key, is good."""
        tokens = ActionTokens(b"key")
        good = tokens.token_of("ann")
        self.assertTrue(tokens.is_good("ann", good))
        for who, token in (
            ("bob", good),
            ("ann", ""),
            ("ann", good[:-1]),
            ("ann", good + "é"),
            ("ann", "\ud800"),
            ("ann", ActionTokens(b"other").token_of("ann")),
        ):
            self.assertFalse(tokens.is_good(who, token))
        self.assertNotIn("key", repr(tokens))


class OriginTests(SynchronousTestCase):
    """Where a request comes from."""

    def test_from_here(self) -> None:
        """A browser says our own address, or nothing, as do other programs."""
        for origin, site, is_ours in (
            ("", "", True),
            ("http://a.example:5001", "", True),
            ("https://A.example:5001", "same-origin", True),
            ("", "none", True),
            ("http://a.example", "", False),
            ("http://a.example:5001.evil.example", "", False),
            ("null", "", False),
            ("", "cross-site", False),
            ("http://a.example:5001", "same-site", False),
        ):
            found = is_from_here("a.example:5001", origin, site)
            self.assertEqual(found, is_ours, (origin, site))
