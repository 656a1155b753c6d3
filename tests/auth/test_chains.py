"""Chains of certificates."""

from __future__ import annotations

from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.keys import BEGIN, END, Identity, ec_key, identity, key_usage
from txregistry.auth.chains import (
    MAX_CHAIN,
    MAX_MODULUS,
    check_chain,
    check_key,
    public_key,
)

NOW = BEGIN + timedelta(days=1)


def path(length: int) -> list[Identity]:
    """Give certificates from the root on, each issued by the one before."""
    found = [identity("c0", ec_key(0), None, True)]
    for number in range(1, length):
        found.append(identity(f"c{number}", ec_key(number % 3), found[-1], True))
    return found


class ChainTests(SynchronousTestCase):
    """From the first certificate to a root."""

    def setUp(self) -> None:
        self.root = identity("root", ec_key(0), None, True)

    def check(self, *chain: Identity, root: Identity | None = None) -> None:
        certificates = [item.certificate for item in chain]
        check_chain(certificates, [(root or self.root).certificate], NOW)

    def refused(self, *chain: Identity, root: Identity | None = None) -> str:
        return str(self.assertRaises(ValueError, self.check, *chain, root=root))

    def test_length(self) -> None:
        """The longest path may lead over so many certificates, the root included."""
        longest = path(MAX_CHAIN + 1)
        self.check(*longest[MAX_CHAIN - 1 :: -1], root=longest[0])
        self.assertIn("no trusted root", self.refused(*longest[::-1], root=longest[0]))

    def test_order(self) -> None:
        """Those after the first may come in any order, and others among them."""
        one, two, three = path(4)[1:]
        root = one.issuer
        stranger = identity("stranger", ec_key(2), None, True)
        self.check(three, one, stranger, two, root=root)
        self.refused(three, one, root=root)

    def test_root_itself(self) -> None:
        """A root vouches for itself; another that signed itself does not."""
        self.check(self.root)
        other = identity("root", ec_key(1), None, True)
        self.assertIn("no trusted root", self.refused(other))
        self.assertIn("no trusted root", self.refused(other, self.root))

    def test_times(self) -> None:
        """Each must be valid at the moment, the bounds included."""
        for begin, end, valid in (
            (NOW, END, True),
            (BEGIN, NOW, True),
            (NOW + timedelta(seconds=1), END, False),
            (BEGIN, NOW - timedelta(seconds=1), False),
        ):
            leaf = identity("leaf", ec_key(1), self.root, begin=begin, end=end)
            if valid:
                self.check(leaf)
            else:
                self.assertIn("not valid now", self.refused(leaf))

    def test_who_may_issue(self) -> None:
        """An authority, whose key is for certificates."""
        for options, allowed in (
            ({"may_issue": True}, True),
            ({"may_issue": False}, False),
            ({"may_issue": True, "usage": key_usage(True)}, True),
            ({"may_issue": True, "usage": key_usage(False)}, False),
            ({"may_issue": True, "path_length": 0}, True),
        ):
            middle = identity("middle", ec_key(1), self.root, **options)
            leaf = identity("leaf", ec_key(2), middle)
            if allowed:
                self.check(leaf, middle)
            else:
                self.refused(leaf, middle)

    def test_path_length(self) -> None:
        """One that may have no authority below it has none."""
        top = identity("top", ec_key(1), self.root, True, path_length=0)
        below = identity("below", ec_key(2), top, True)
        leaf = identity("leaf", ec_key(3), below)
        self.check(below, top)
        self.refused(leaf, below, top)


class KeyTests(SynchronousTestCase):
    """Keys of certificates."""

    def test_cost(self) -> None:
        """RSA keys and exponents that take long are refused, and DSA at all."""
        for bits, exponent, accepted in (
            (MAX_MODULUS, 65537, True),
            (MAX_MODULUS + 1, 65537, False),
            (2048, 2**32 - 1, True),
            (2048, 2**32 + 1, False),
        ):
            numbers = rsa.RSAPublicNumbers(exponent, 2 ** (bits - 1) + 1)
            key = numbers.public_key()
            if accepted:
                check_key(key)
            else:
                self.assertRaises(ValueError, check_key, key)
        old = dsa.generate_private_key(1024).public_key()
        self.assertRaises(ValueError, check_key, old)
        check_key(ec_key().public_key())

    def test_kinds(self) -> None:
        """Keys of elliptic curves and of RSA are read from their certificates."""
        for key, kind in (
            (ec_key(), "EC"),
            (ec.generate_private_key(ec.SECP384R1()), "EC"),
            (ed25519.Ed25519PrivateKey.generate(), "OKP"),
        ):
            found = public_key(identity("x", key).certificate)
            self.assertEqual((found.key_type, found.is_private), (kind, False))
