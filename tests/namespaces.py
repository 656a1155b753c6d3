"""Local storage, the remote client and the proxy, for the suite of namespaces."""

from __future__ import annotations

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.blobs import IBlobIngester
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.parse import parse
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.testing.house import TestHouse


@attrs.define
class Local:
    """Local storage; things are put by its own verbs."""

    case: object
    house: TestHouse

    @property
    def namespace(self):
        return self.house.local

    def put_blob(self, name: str, content: bytes) -> Digest:
        repository = self.repository(name)
        assert IBlobIngester.providedBy(repository.blobs)
        writer = self.settle(repository.blobs.create())
        writer.write(content)
        wanted = Descriptor(Digest.of(content), len(content))
        return self.settle(writer.commit(provisional=wanted)).digest

    def put_manifest(self, name: str, content: bytes, *tags: str) -> Digest:
        manifests = self.repository(name).manifests
        manifest = parse(content)
        named = [Tag(tag) for tag in tags]
        self.settle(manifests.put(manifest=manifest, tags=named))
        return manifest.digest

    def repository(self, name: str):
        return self.settle(self.house.local.repository(RepositoryName.parse(name)))

    def settle(self, done):
        return self.house.settle(done)


@attrs.define
class Remote:
    """The remote client in front of a fake upstream."""

    case: object
    house: TestHouse

    @property
    def namespace(self):
        return self.house.remote

    def put_blob(self, name: str, content: bytes) -> Digest:
        return self.house.upstream.add_blob(name, content)

    def put_manifest(self, name: str, content: bytes, *tags: str) -> Digest:
        return self.house.upstream.add_manifest(name, content, *tags)

    def settle(self, done):
        return self.house.settle(done)


class OtherProcess(Local):
    """Local storage as another process sees it that shares the directory."""

    def __init__(self, case: SynchronousTestCase) -> None:
        root = case.mktemp()
        super().__init__(case, shared_house(root))
        self.other = shared_house(root, self.house.clock)

    @property
    def namespace(self):
        return self.other.local


def shared_house(root: str, clock: Clock | None = None) -> TestHouse:
    """Give a house over a directory that others use as well."""
    driver = FilesystemDriver(root, InlineDisk(), is_shared=True)
    return TestHouse(driver=driver, clock=clock or Clock())


class Proxy(Remote):
    """The cache in front of a fake upstream."""

    @property
    def namespace(self):
        return self.house.proxy


def on_disk(case) -> TestHouse:
    return TestHouse(
        driver=FilesystemDriver(case.mktemp(), InlineDisk()), clock=Clock()
    )
