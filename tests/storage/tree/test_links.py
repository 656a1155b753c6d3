"""Link files."""

from __future__ import annotations

from unittest.mock import patch

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError, PathNotFound, PutFile
from txregistry.spec.digest import Digest
from txregistry.storage.tree.links import Links
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.inmemory import MemoryDriver

PATH = "/a/b/link"
DIGEST, OTHER = Digest.of(b"content"), Digest.of(b"other")


class LinksTests(SynchronousTestCase):
    """Digests that are read and written."""

    def setUp(self) -> None:
        self.driver = self.make()
        self.links = Links(self.driver)

    def make(self):
        return MemoryDriver(Clock())

    def ok(self, done: Deferred):
        return self.successResultOf(done)

    def put(self, content: bytes) -> None:
        self.ok(self.driver.put(PATH, content))

    def is_there(self, path: str) -> bool:
        looked = self.driver.stat(path)
        looked.addErrback(lambda failure: failure.trap(PathNotFound) and None)
        return self.ok(looked) is not None

    def test_round_trip(self) -> None:
        """A link holds its digest and nothing else."""
        self.ok(self.links.write(PATH, DIGEST))
        self.assertEqual(self.ok(self.links.read(PATH)), DIGEST)
        self.assertEqual(self.ok(self.driver.get(PATH)), str(DIGEST).encode())

    def test_missing_or_broken(self) -> None:
        """Empty, cut off, with a newline, or anything else: it names nothing."""
        self.assertIsNone(self.ok(self.links.read(PATH)))
        text = str(DIGEST).encode()
        for content in (b"", text[:-1], text + b"\n", b"\xff" + text[1:], b"sha256:"):
            self.put(content)
            self.assertIsNone(self.ok(self.links.read(PATH)), content)

    def test_storage_that_fails(self) -> None:
        """That is no missing link."""
        error = DriverError("inmemory", PATH, "broken")
        with patch.object(type(self.driver), "get", lambda *_: fail(error)):
            self.failureResultOf(self.links.read(PATH), DriverError)

    def test_change(self) -> None:
        """What says so already need not be changed; what does not is put."""
        expected = [PutFile(PATH, str(DIGEST).encode())]
        self.assertEqual(self.ok(self.links.change(PATH, DIGEST)), expected)
        for content in (b"", str(OTHER).encode()):
            self.put(content)
            self.assertEqual(self.ok(self.links.change(PATH, DIGEST)), expected)
        self.ok(self.links.apply(expected))
        self.assertEqual(self.ok(self.links.change(PATH, DIGEST)), [])

    def test_written_once(self) -> None:
        """A link that says so already costs no write."""
        self.ok(self.links.write(PATH, DIGEST))
        error = DriverError("inmemory", PATH, "full")
        with patch.object(type(self.driver), "apply", lambda *_, **__: fail(error)):
            self.ok(self.links.write(PATH, DIGEST))
            self.failureResultOf(self.links.write(PATH, OTHER), DriverError)
        self.assertEqual(self.ok(self.links.read(PATH)), DIGEST)

    def test_removed(self) -> None:
        """It says whether there was one."""
        self.ok(self.links.write(PATH, DIGEST))
        self.assertIs(self.ok(self.links.remove(PATH, "/a")), True)
        self.assertIs(self.ok(self.links.remove(PATH, "/a")), False)
        self.failureResultOf(self.driver.get(PATH), PathNotFound)

    def test_directory_of_links(self) -> None:
        """All of them go."""
        self.ok(self.links.write("/a/b/c/link", DIGEST))
        self.ok(self.links.write("/a/b/d/link", OTHER))
        self.assertTrue(self.ok(self.links.remove("/a/b", "/a")))
        self.assertIsNone(self.ok(self.links.read("/a/b/c/link")))

    def test_durable(self) -> None:
        """Whether a power failure may bring it back is for the caller to say."""
        asked: list[bool] = []
        delete = type(self.driver).delete

        def watched(driver, path: str, durable: bool = True):
            asked.append(durable)
            return delete(driver, path, durable)

        with patch.object(type(self.driver), "delete", watched):
            for more in ((), (True,), (False,)):
                self.ok(self.links.write(PATH, DIGEST))
                self.ok(self.links.remove(PATH, "/a", *more))
        self.assertEqual(asked, [True, True, False])


class FilesystemLinksTests(LinksTests):
    """The same where there are directories."""

    def make(self):
        return FilesystemDriver(self.mktemp(), InlineDisk())

    def test_emptied_directories(self) -> None:
        """They go up to the one that stays, unless something is in them."""
        self.ok(self.links.write("/a/b/c/d/link", DIGEST))
        self.ok(self.links.write("/a/b/link", DIGEST))
        self.ok(self.links.remove("/a/b/c/d/link", "/a"))
        self.assertTrue(self.is_there("/a/b/link"))
        self.assertFalse(self.is_there("/a/b/c"))
        self.ok(self.links.remove("/a/b/link", "/a"))
        self.assertFalse(self.is_there("/a/b"))
        self.assertTrue(self.is_there("/a"))

    def test_directory_that_stays(self) -> None:
        """The link is gone, and that is what was asked for."""
        self.ok(self.links.write(PATH, DIGEST))
        error = DriverError("filesystem", "/a/b", "broken")
        with (
            patch.object(type(self.driver), "prune", lambda *_, **__: fail(error)),
            capturedLogs() as told,
        ):
            self.assertTrue(self.ok(self.links.remove(PATH, "/a")))
        self.assertIsNone(self.ok(self.links.read(PATH)))
        self.assertEqual([str(error)], [event["error"] for event in told])
