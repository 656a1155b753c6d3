"""Algorithms of signatures, and keys that come with them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.signing import ALGORITHMS, public_half


class SigningTests(SynchronousTestCase):
    """What is used of what others send."""

    def test_algorithms(self) -> None:
        """Each of RFC 7518 is known, and ``none`` is not."""
        for name in ("EdDSA", "HS256", "RS384", "ES512", "PS256"):
            self.assertIn(name, ALGORITHMS)
        self.assertEqual(len(ALGORITHMS), 13)
        self.assertNotIn("none", map(str.lower, ALGORITHMS))

    def test_private_members(self) -> None:
        """Private and secret members of a key, and unknown ones, are left out."""
        private = dict.fromkeys(("d", "p", "q", "dp", "dq", "qi", "oth", "k", "x5u"), 1)
        public = {"kty": "RSA", "n": "1", "e": "AQAB", "kid": "a", "alg": "RS256"}
        given = {**private, **public}
        self.assertEqual(public_half(given), public)
        self.assertEqual(given, {**private, **public})
        self.assertEqual(public_half({}), {})
