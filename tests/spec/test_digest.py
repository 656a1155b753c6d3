"""Digests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import HEX_LENGTHS, Digest
from txregistry.spec.errors import DigestInvalid


class DigestTests(SynchronousTestCase):
    """Digests."""

    def test_round_trip(self) -> None:
        """Each registered algorithm parses and prints."""
        for algorithm in HEX_LENGTHS:
            digest = Digest.of(b"content", algorithm)
            self.assertEqual(Digest.parse(str(digest)), digest)

    def test_refused(self) -> None:
        """Anything else does not."""
        good = "a" * 64
        for text in (
            "",
            "sha256",
            "sha256:",
            f"sha256:{good[1:]}",
            f"sha256:{good}a",
            f"sha256:{good.upper()}",
            f"sha257:{good}",
            f"md5:{'a' * 32}",
            f"sha512:{good}",
            f" sha256:{good}",
            f"sha256:{good}\n",
            f"sha256:{'٠' * 64}",
            f"SHA256:{good}",
        ):
            with self.assertRaises(DigestInvalid):
                Digest.parse(text)

    @given(st.text(max_size=200))
    def test_any_text(self, text: str) -> None:
        """Any text parses to itself or is refused."""
        try:
            self.assertEqual(str(Digest.parse(text)), text)
        except DigestInvalid:
            pass
