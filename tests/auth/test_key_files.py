"""Files of keys that are trusted."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.keys import ec_key, identity, jwk
from txregistry.auth.key_files import (
    keys_of_bundle,
    keys_of_set,
    libtrust_id,
    watch_bundle,
)


class BundleTests(SynchronousTestCase):
    """Certificates as PEM."""

    def test_ids(self) -> None:
        """Each key is found by both of its names, and is a root."""
        found = identity("ca", key=ec_key())
        keys = keys_of_bundle(b"text before\n" + found.pem + found.key_pem)
        name = libtrust_id(found.certificate)
        self.assertRegex(name, r"^([A-Z2-7]{4}:){11}[A-Z2-7]{4}$")
        (thumbprint,) = keys.by_thumbprint
        self.assertEqual(set(keys.by_id), {name, thumbprint})
        self.assertEqual(list(keys.roots), [found.certificate])

    def test_refused(self) -> None:
        """One without a certificate, or with a malformed one, which is numbered."""
        good = identity("ca", key=ec_key()).pem
        for content in (b"", b"text", identity("ca", key=ec_key()).key_pem):
            error = self.assertRaises(ValueError, keys_of_bundle, content)
            self.assertIn("no certificate", str(error))
        content = good + good.replace(b"M", b"!", 1)
        error = self.assertRaises(ValueError, keys_of_bundle, content)
        self.assertIn("certificate 2", str(error))


class SetTests(SynchronousTestCase):
    """JSON web keys."""

    def test_ids(self) -> None:
        """A key is found by its thumbprint, and by its own name if it has one."""
        listed = [{**jwk(ec_key(0)), "kid": "first"}, jwk(ec_key(1))]
        keys = keys_of_set(json.dumps({"keys": listed}).encode())
        self.assertEqual(len(keys.by_thumbprint), 2)
        self.assertEqual(set(keys.by_id), {"first", *keys.by_thumbprint})
        self.assertEqual(list(keys.roots), [])

    def test_refused(self) -> None:
        """What is no JSON, no set, or has one key that is none, is a ``ValueError``."""
        good = jwk(ec_key(0))
        for content in (
            b"",
            b"\xff",
            b"[" * 100_000,
            b"[]",
            b"{}",
            b'{"keys": 7}',
            b'{"keys": [7]}',
            json.dumps({"keys": [good, {"kty": "EC"}]}).encode(),
            json.dumps({"keys": [good, {}]}).encode(),
        ):
            self.assertRaises(ValueError, keys_of_set, content)


class DamagedBundleTests(SynchronousTestCase):
    """A bundle of trusted certificates that is changed while the daemon runs."""

    def test_removed_certificate_is_not_trusted(self) -> None:
        """One that was taken out is not trusted, though another is damaged."""
        first, second = (identity(f"ca{n}", key=ec_key(n)) for n in range(2))
        path = Path(self.mktemp())
        path.write_bytes(first.pem + second.pem)
        watched = watch_bundle(str(path))
        self.assertEqual(len(watched.read().roots), 2)
        cut = first.pem.replace(b"M", b"!", 1)
        path.write_bytes(cut + second.pem)
        with capturedLogs() as events:
            (left,) = watched.read().roots
        self.assertEqual(left, second.certificate)
        (told,) = events
        self.assertEqual(told["reason"], "certificate 1 is malformed")

    def test_nothing_good_is_left(self) -> None:
        """A bundle without one good certificate says nothing: the older one holds."""
        only = identity("ca", key=ec_key())
        path = Path(self.mktemp())
        path.write_bytes(only.pem)
        watched = watch_bundle(str(path))
        watched.read()
        path.write_bytes(b"nothing")
        self.assertEqual(list(watched.read().roots), [only.certificate])
