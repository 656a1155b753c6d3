"""When images were built."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from tests.images.cases import BUILT, BUILT_AT, ImagesCase
from txregistry.images import made
from txregistry.images.made import MAX_CONFIG_BYTES, created_in, made_at
from txregistry.interfaces.driver import DriverError
from txregistry.spec.digest import Digest

CORP = "corp/org/app:v1"


class CreatedTests(SynchronousTestCase):
    """What a configuration says."""

    def test_times(self) -> None:
        """With the fractions that Go writes; 1970 and 1 are no times."""
        for text, expected in (
            (BUILT, BUILT_AT),
            ("2023-11-01T01:00:00+01:00", 1_698_796_800.0),
            ("1970-01-01T00:00:00Z", None),
            ("0001-01-01T00:00:00Z", None),
            ("yesterday", None),
            ("2023-11-01T00:00:00", None),
        ):
            found = created_in(b'{"created": "%b"}' % text.encode())
            self.assertEqual(found, expected, text)

    def test_others(self) -> None:
        """What is no configuration says nothing."""
        deep = b"[" * MAX_CONFIG_BYTES
        for content in (deep, b"", b"[]", b"{}", b'{"created": 5}', b"\xff", b"null"):
            self.assertIsNone(created_in(content))


class MadeTests(ImagesCase):
    """Of stored images."""

    def made(self, top: Digest) -> Any:
        name = self.images.named(CORP).repository
        repository = self.house.settle(self.house.local.repository(name=name))
        self.repository = repository
        return self.house.settle(made_at(repository, top))

    def test_an_index(self) -> None:
        """That of the first image that is here."""
        top = self.put_image("corp")
        self.warm(CORP, "linux/arm64")
        self.assertEqual(self.made(top), BUILT_AT)

    def test_unknown(self) -> None:
        """What is not here, is large, or cannot be read."""
        self.assertIsNone(self.made(Digest.of(b"none")))
        top = self.put_image("corp")
        self.warm(CORP)
        self.patch(made, "MAX_CONFIG_BYTES", 10)
        self.assertIsNone(self.made(top))
        self.patch(made, "MAX_CONFIG_BYTES", 10**6)
        broken = fail(DriverError("path", "broken"))
        self.patch(type(self.repository.blobs), "open", lambda *_, **__: broken)
        self.assertIsNone(self.made(top))
