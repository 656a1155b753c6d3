"""Paths in a layout, and bytes that are verified as they are read."""

from __future__ import annotations

import io
import tarfile
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from txregistry.ocilayout.index import LayoutError
from txregistry.ocilayout.layout import (
    CHUNK_BYTES,
    Verified,
    digest_at,
    path_of,
    read_piece,
)
from txregistry.spec.digest import Digest


class PathTests(SynchronousTestCase):
    """Where a digest lies."""

    def test_paths(self) -> None:
        """Each digest has one path, and no other path is one."""
        for algorithm in ("sha256", "sha512"):
            digest = Digest.of(b"x", algorithm)
            self.assertEqual(digest_at(path_of(digest)), digest)
        path = path_of(Digest.of(b"x"))
        for other in ("index.json", f"x/{path}", path[:-1], f"{path}/x", path[6:]):
            self.assertIsNone(digest_at(other))


class ReadTests(SynchronousTestCase):
    """A medium that fails."""

    def test_errors(self) -> None:
        """It is said of what."""
        digest = Digest.of(b"x")
        self.assertEqual(read_piece(io.BytesIO(b"abc"), digest, 2), b"ab")
        for error in (OSError(5, "Input/output error"), tarfile.ReadError("short")):
            source = Mock(read=Mock(side_effect=error))
            with self.assertRaisesRegex(LayoutError, f"{digest} cannot be read"):
                read_piece(source, digest)


class VerifiedTests(SynchronousTestCase):
    """A source that is hashed."""

    def source(self, content: bytes, size: int, expected: bytes) -> Verified:
        return Verified(io.BytesIO(content), Digest.of(expected), size)

    def test_good(self) -> None:
        """It gives no more than was announced, in pieces that are bounded."""
        content = b"x" * (CHUNK_BYTES + 5)
        source = self.source(content + b"more", len(content), content)
        pieces = [source.read(), source.read(3), source.read(), source.read()]
        self.assertEqual([len(piece) for piece in pieces], [CHUNK_BYTES, 3, 2, 0])
        source.check()

    def test_bad(self) -> None:
        """What ends early, is not read to its end, or has another digest."""
        source = self.source(b"abc", 4, b"abcd")
        self.assertRaisesRegex(LayoutError, "1 bytes are missing", source.read)
        for content, size in ((b"abcd", 4), (b"abce", 4)):
            source = self.source(content, size, b"abcd")
            source.read(3)
            if content == b"abce":
                source.read()
            self.assertRaisesRegex(LayoutError, "does not match", source.check)
