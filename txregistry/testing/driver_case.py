"""What tests of a storage driver say in short."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txregistry.flow.deferred import deferred
from txregistry.flow.streams import BoundedConsumer
from txregistry.interfaces.driver import IGrowingFiles, IStorageDriver
from txregistry.interfaces.files import IFileWriter, IStoredFile


class DriverCase(SynchronousTestCase):
    """A driver whose Deferreds fire at once, and short words for its verbs."""

    driver: IStorageDriver

    def ok(self, done: Deferred[Any]) -> Any:
        return self.successResultOf(done)

    def content(self, path: str) -> bytes:
        return self.successResultOf(self.driver.get(path=path))

    def put(self, path: str, content: bytes) -> None:
        self.ok(self.driver.put(path=path, content=content))

    def read(self, reader: IStoredFile, offset: int, size: int | None) -> bytes:
        consumer = BoundedConsumer(1 << 24)
        done = reader.read(consumer=consumer, offset=offset, size=size)
        self.successResultOf(done)
        return consumer.content

    def open(self, path: str) -> IStoredFile:
        reader: IStoredFile = self.ok(self.driver.reader(path=path))
        self.addCleanup(reader.close)
        return reader

    def write(self, path: str, keep: int, *chunks: bytes) -> IFileWriter:
        writer: IFileWriter = self.ok(self.driver.writer(path=path, keep_bytes=keep))
        for chunk in chunks:
            writer.write(chunk)
        return writer

    def identity(self, path: str) -> object:
        return self.ok(self.driver.stat(path=path)).identity

    def need_growing_files(self) -> None:
        if not IGrowingFiles.providedBy(self.driver):
            raise SkipTest("files are not there while they are written")

    def scan(self, path: str) -> list[str]:
        return self.successResultOf(self.scanning(path))

    @deferred
    async def scanning(self, path: str) -> list[str]:
        return [item async for item in self.driver.scan(path=path)]

    def walk(self, path: str) -> list[str]:
        @deferred
        async def collect() -> list[str]:
            return [item.path async for item in self.driver.walk(path)]

        return self.successResultOf(collect())
