"""Certificates in PEM."""

from __future__ import annotations

from unittest import TestCase

from txregistry.spec.pem import certificates

FIRST = b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
OTHER = b"-----BEGIN PRIVATE KEY-----\nBB==\n-----END PRIVATE KEY-----\n"


class CertificatesTests(TestCase):
    """Which parts of a file are some."""

    def test_one_by_one(self) -> None:
        """What stands between and around them is passed over."""
        second = FIRST.replace(b"AA", b"CC")
        whole = b"a comment\n" + OTHER + FIRST + b"\n\n" + OTHER + second + b"end"
        self.assertEqual(certificates(whole), [FIRST, second])

    def test_none(self) -> None:
        """Where there is none, none is given."""
        for pem in (b"", OTHER, b"-----END CERTIFICATE-----"):
            self.assertEqual(certificates(pem), [])

    def test_cut_short(self) -> None:
        """One without an end is given, so that somebody tells of it."""
        (found,) = certificates(b"-----BEGIN CERTIFICATE-----\nAA")
        self.assertIn(b"AA", found)
