"""Signatures, and credentials."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from botocore.credentials import Credentials
from botocore.exceptions import MetadataRetrievalError
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.storagedriver.s3.endpoint import BucketPlace
from txregistry.storagedriver.s3.request import NOTHING_SHA256, StoreUnreachable
from txregistry.storagedriver.s3.settings import read_settings
from txregistry.storagedriver.s3.signing import (
    Keychain,
    KeysMissing,
    encoded,
    make_keychain,
    presigned_url,
    signed_headers,
)

# Amazon's published example.
KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
AT = 1369353600.0
HOST = "https://examplebucket.s3.amazonaws.com"


class SigningTests(SynchronousTestCase):
    """What is signed is what Amazon says."""

    def test_headers(self) -> None:
        """Its example of a GET of a range."""
        headers = {"Range": "bytes=0-9", "x-amz-content-sha256": NOTHING_SHA256}
        url = f"{HOST}/test.txt"
        found = signed_headers(KEYS, "us-east-1", "GET", url, headers, AT)
        self.assertIn(
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            found["Authorization"],
        )

    def test_url(self) -> None:
        """Its example of a URL that is good for a day."""
        place = BucketPlace(HOST, "us-east-1")
        url = presigned_url(KEYS, place, "GET", "test.txt", AT, 86400)
        self.assertTrue(
            url.endswith(
                "=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
            )
        )

    def test_token(self) -> None:
        """A token of temporary credentials is signed, too."""
        keys = Credentials("a", "b", "tok")
        place = BucketPlace(HOST, "r")
        self.assertIn(
            "Security-Token=tok", presigned_url(keys, place, "GET", "k", AT, 9)
        )
        found = signed_headers(keys, "r", "GET", HOST, {}, AT)
        self.assertEqual(found["x-amz-security-token"], "tok")

    def test_encoding(self) -> None:
        """A query is encoded as signatures want it."""
        self.assertEqual(encoded([("a b", "c/d+~")]), "a%20b=c%2Fd%2B~")


class Renewable:
    """Credentials that end."""

    def __init__(self, name: str) -> None:
        self.name, self.needed, self.asked = name, False, 0

    def refresh_needed(self) -> bool:
        return self.needed

    def get_frozen_credentials(self) -> Any:
        self.asked += 1
        return Credentials(self.name, "s")


class KeychainTests(SynchronousTestCase):
    """Where credentials come from."""

    def test_configured(self) -> None:
        """Those of the configuration are used as they are."""
        section = {"bucket": "b", "region": "r", "accesskey": "a", "secretkey": "s"}
        chain = make_keychain(read_settings(section), InlineDisk())
        self.assertEqual(self.successResultOf(chain.keys()).access_key, "a")
        self.assertFalse(chain.refused(self.successResultOf(chain.keys())))
        self.assertEqual(self.successResultOf(chain.keys()).access_key, "a")

    def test_none(self) -> None:
        """Where there are none, it is said so."""
        chain = Keychain(InlineDisk(), lambda: None)
        self.failureResultOf(chain.keys(), KeysMissing)

    def test_renewed(self) -> None:
        """Those that were refused are looked for again; others renew themselves."""
        names = iter("ab")
        chain = Keychain(InlineDisk(), lambda: Renewable(next(names)))
        self.assertEqual(self.successResultOf(chain.keys()).access_key, "a")
        chain._found.needed = True
        self.assertEqual(self.successResultOf(chain.keys()).access_key, "a")
        self.assertTrue(chain.refused(self.successResultOf(chain.keys())))
        self.assertEqual(self.successResultOf(chain.keys()).access_key, "b")

    def test_refused_to_many(self) -> None:
        """Whoever is refused the same meanwhile waits for the same new ones."""
        names = iter("abc")
        chain = Keychain(InlineDisk(), lambda: Renewable(next(names)))
        old = self.successResultOf(chain.keys())
        self.assertEqual((chain.refused(old), chain.refused(old)), (True, True))
        new = self.successResultOf(chain.keys())
        self.assertTrue(chain.refused(old))
        self.assertEqual(self.successResultOf(chain.keys()).access_key, "b")
        self.assertTrue(chain.refused(new))
        self.assertEqual(self.successResultOf(chain.keys()).access_key, "c")

    def test_away(self) -> None:
        """Who gives them out may be away for a while."""
        for error in (MetadataRetrievalError(error_msg="gone"), OSError("disk")):
            load = Mock(side_effect=[error, Renewable("a")])
            chain = Keychain(InlineDisk(), load)
            failure = self.failureResultOf(chain.keys(), StoreUnreachable)
            self.assertIn("credentials cannot be had", str(failure.value))
            self.assertEqual(self.successResultOf(chain.keys()).access_key, "a")
