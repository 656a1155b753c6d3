"""What carries images of a registry."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.transfers import build_transfers
from txregistry.config.model import Config
from txregistry.config.read import read_config
from txregistry.interfaces.images import ImagesRefused
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.testing.house import TestHouse


def config(is_read_only: bool) -> Config:
    maintenance = {"readonly": {"enabled": is_read_only}}
    storage = {"inmemory": {}, "maintenance": maintenance}
    return read_config({"version": "0.1", "storage": storage})[0]


class RegistryTests(SynchronousTestCase):
    """A registry has no upstream, and takes what it may."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.made = build_transfers(
            config(False), self.house.stored, None, None, self.house.clock
        )

    def test_names(self) -> None:
        """A name is that of the repository, whatever host it begins with."""
        image = self.made.named("ghcr.io/org/app:v1")
        self.assertEqual(image.repository.text, "ghcr.io/org/app")
        plan = self.house.settle(self.made.exporter.plan(image, (), is_partial=True))
        self.assertEqual((plan.image, plan.full_name), ("ghcr.io/org/app:v1", ""))
        self.assertRaises(ImagesRefused, self.made.named, "org/APP")

    def test_read_only(self) -> None:
        """A reload decides whether it takes anything."""
        image = self.made.named("org/app:v1")
        blob = Descriptor(Digest.of(b"x"), 1)
        lacks = self.made.importer.lacks
        self.assertEqual(self.house.settle(lacks(image, [blob])), [blob])
        self.made.follow(config(True))
        failure = self.failureResultOf(lacks(image, [blob]), ImagesRefused)
        self.assertIn("storage.maintenance.readonly", str(failure.value))
        self.made.follow(config(False))
        self.assertEqual(self.house.settle(lacks(image, [blob])), [blob])
