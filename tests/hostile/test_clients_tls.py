"""Suites of TLS 1.2 under which a recording can be read later, or padding tells."""

from __future__ import annotations

import ssl
from pathlib import Path

from tests.auth.keys import rsa_key
from tests.daemon.test_tls import SuiteCase
from txregistry.config.ciphers import CIPHER_SUITES

RSA_ONLY = ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA")
CBC = (
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-SHA384",
    "DHE-RSA-AES128-SHA",
)
GOOD = (
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
)


class SuiteTests(SuiteCase):
    """A registry with an RSA key, and clients that offer one suite each."""

    def setUp(self) -> None:
        super().setUp()
        leaf = self.certificate("server", rsa_key())
        Path(self.certificate_path).write_bytes(leaf.pem)
        Path(self.key_path).write_bytes(leaf.key_pem)

    def offered(self, suite: str) -> str:
        """Give a client's list of one suite, whatever its library thinks of it."""
        return f"{suite}:@SECLEVEL=0"

    def test_weak_ones(self) -> None:
        """Key exchange by RSA, and CBC, are not spoken unless they are listed."""
        creator = self.creator()
        for suite in (*RSA_ONLY, *CBC):
            self.assertIsNone(self.suite(creator, self.offered(suite)), suite)

    def test_good_ones(self) -> None:
        """Those with ephemeral keys and authenticated encryption are."""
        creator = self.creator()
        for suite in GOOD:
            self.assertEqual(self.suite(creator, self.offered(suite)), suite)

    def test_listed(self) -> None:
        """Whoever lists a weak one means it."""
        names = {suite: name for name, suite in CIPHER_SUITES.items()}
        for suite in ("AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA"):
            creator = self.creator(ciphersuites=(names[suite],))
            self.assertEqual(self.suite(creator, self.offered(suite)), suite)

    def test_beside_tls_1_3(self) -> None:
        """A list of suites of TLS 1.3 alone does not let the weak ones in."""
        creator = self.creator(ciphersuites=("TLS_AES_128_GCM_SHA256",))
        self.assertIsNone(self.suite(creator, self.offered(RSA_ONLY[0])))
        self.assertTrue(self.gets_in(creator, self.at(ssl.TLSVersion.TLSv1_2)))
