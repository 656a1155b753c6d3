"""Keys that are trusted, and which of them a token means."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.keys import BEGIN, Identity, ec_key, identity, jwk
from txregistry.auth.chains import MAX_CHAIN
from txregistry.auth.key_files import keys_of_bundle, keys_of_set
from txregistry.auth.keys import KeySource, TrustedKeys
from txregistry.flow.watched import WatchedFile

NOW = BEGIN.timestamp() + 1


def key_set(*numbers: int) -> bytes:
    """Write a set of keys, each of which has its number as its name."""
    listed = [{**jwk(ec_key(number)), "kid": str(number)} for number in numbers]
    return json.dumps({"keys": listed}).encode()


def x5c(*chain: Identity) -> list[str]:
    encoded = [item.certificate.public_bytes(Encoding.DER) for item in chain]
    return [base64.b64encode(part).decode() for part in encoded]


class KeyTests(SynchronousTestCase):
    """Which key a header refers to."""

    def setUp(self) -> None:
        self.root = identity("root", ec_key(0), None, True)
        self.leaf = identity("leaf", ec_key(1), self.root)
        self.keys = keys_of_bundle(self.root.pem).merged(keys_of_set(key_set(2)))

    def thumbprint(self, **header: Any) -> str:
        return self.keys.key_for(header, NOW).thumbprint()

    def own(self, number: int) -> str:
        (found,) = keys_of_set(key_set(number)).by_thumbprint
        return found

    def refused(self, **header: Any) -> str:
        return str(self.assertRaises(ValueError, self.keys.key_for, header, NOW))

    def test_name(self) -> None:
        """A trusted key is found by its name or thumbprint; another name is not."""
        self.assertEqual(self.thumbprint(kid="2"), self.own(2))
        self.assertEqual(self.thumbprint(kid=self.own(2)), self.own(2))
        for header in ({}, {"kid": ""}, {"kid": "3"}, {"kid": None}, {"kid": ["2"]}):
            self.assertEqual(self.refused(**header), "signed by an unknown key")

    def test_embedded(self) -> None:
        """An embedded key is trusted for what it is, whatever name it has."""
        self.assertEqual(self.thumbprint(jwk=jwk(ec_key(2))), self.own(2))
        self.refused(jwk={**jwk(ec_key(3)), "kid": "2"})
        self.refused(jwk={**jwk(ec_key(3)), "kid": self.own(2)}, kid="2")
        for malformed in (None, [], "x", {}, {"kty": "EC"}, {"kty": 7}):
            self.refused(jwk=malformed)

    def test_chain(self) -> None:
        """A chain to a root certifies its first key, embedded with it or not."""
        chain = x5c(self.leaf)
        self.assertEqual(self.thumbprint(x5c=chain), self.own(1))
        embedded = {**jwk(ec_key(1)), "x5c": chain}
        self.assertEqual(self.thumbprint(jwk=embedded), self.own(1))
        stranger = identity("leaf", ec_key(1), identity("root", ec_key(3), None, True))
        self.refused(x5c=x5c(stranger))
        self.refused(jwk={**jwk(ec_key(2)), "x5c": chain})

    def test_malformed_chains(self) -> None:
        """What is no list, empty, too long or no certificate is a ``ValueError``."""
        longest = x5c(*[self.leaf] * MAX_CHAIN)
        self.assertEqual(self.thumbprint(x5c=longest), self.own(1))
        for chain in (None, "x", [], [7], ["!"], ["AAAA"], [*longest, longest[0]]):
            self.refused(x5c=chain)


class SourceTests(SynchronousTestCase):
    """Keys of several files."""

    def setUp(self) -> None:
        self.paths = [Path(self.mktemp()) for _ in range(2)]
        for number, path in enumerate(self.paths):
            path.write_bytes(key_set(number))
        self.source = KeySource(
            [WatchedFile(str(path), keys_of_set) for path in self.paths]
        )

    def names(self) -> set[str]:
        return {name for name in self.source.read().by_id if len(name) < 3}

    def test_all(self) -> None:
        """The keys of all files are trusted; while none changes, they are the same."""
        self.assertEqual(self.names(), {"0", "1"})
        self.assertIs(self.source.read(), self.source.read())

    def test_changed(self) -> None:
        """A key that was taken out of one file is not trusted any more."""
        before = self.source.read()
        self.paths[1].write_bytes(key_set(2, 3))
        self.assertEqual(self.names(), {"0", "2", "3"})
        self.assertIsNot(self.source.read(), before)

    def test_gone(self) -> None:
        """A file that cannot be read is an error, not an empty one."""
        self.source.read()
        self.paths[0].unlink()
        self.assertRaises(OSError, self.source.read)

    def test_merged(self) -> None:
        """Keys and roots of both are in what is merged, and neither is changed."""
        first = keys_of_bundle(identity("a", ec_key(0)).pem)
        second = keys_of_bundle(identity("b", ec_key(1)).pem)
        found = first.merged(second)
        self.assertEqual(len(found.roots), 2)
        self.assertEqual(set(found.by_id), {*first.by_id, *second.by_id})
        self.assertEqual(len(first.roots), 1)
        self.assertIsInstance(found, TrustedKeys)
