"""Blobs over HTTP."""

from __future__ import annotations

import json
import re

from tests.web.test_web import WebCase


class BlobTests(WebCase):
    """Blobs."""

    def test_headers(self) -> None:
        """Cold and warm, GET and HEAD say the same of a blob."""
        for _ in range(2):
            for got in (self.house.head(self.blob_path), self.get(self.blob_path)):
                self.assertEqual(got.status, 200)
                for name, value in (
                    ("Content-Type", "application/octet-stream"),
                    ("Docker-Content-Digest", str(self.blob)),
                    ("ETag", f'"{self.blob}"'),
                    ("Accept-Ranges", "bytes"),
                    ("Cache-Control", "max-age=31536000"),
                ):
                    self.assertEqual(got.header(name), value)
            self.assertEqual(got.body, self.content)

    def test_head_downloads_nothing(self) -> None:
        """HEAD of a cold blob is a HEAD upstream."""
        self.house.head(self.blob_path)
        self.assertEqual(self.house.upstream.count("GET", "/blobs/"), 0)
        self.assertEqual(self.house.paths(), [])

    def test_not_modified(self) -> None:
        """A client that has it is told so, with the digest."""
        for got in (
            self.get(self.blob_path, If_None_Match=f'"{self.blob}"'),
            self.house.head(self.blob_path, If_None_Match="*"),
        ):
            self.assertEqual((got.status, got.body), (304, b""))
            self.assertEqual(got.header("Docker-Content-Digest"), str(self.blob))
            self.assertEqual(got.header("ETag"), f'"{self.blob}"')

    def test_range(self) -> None:
        """One part, on a cold and on a warm blob."""
        for _ in range(2):
            got = self.get(self.blob_path, Range="bytes=10-19")
            self.assertEqual((got.status, got.body), (206, self.content[10:20]))
            self.assertEqual(got.header("Content-Range"), "bytes 10-19/10000")
            got = self.get(self.blob_path, Range="bytes=0-")
            self.assertEqual((got.status, got.body), (206, self.content))

    def test_if_range(self) -> None:
        """A range of something else is the whole."""
        got = self.get(self.blob_path, Range="bytes=0-1", If_Range='"other"')
        self.assertEqual((got.status, got.body), (200, self.content))

    def test_unsatisfiable_range(self) -> None:
        """416 says how long it is, and has a length of its own."""
        got = self.get(self.blob_path, Range="bytes=10000-")
        self.assertEqual(got.status, 416)
        self.assertEqual(got.header("Content-Range"), "bytes */10000")
        self.assertEqual(json.loads(got.body)["errors"][0]["code"], "RANGE_INVALID")

    def test_multipart(self) -> None:
        """Several parts, each with its place, and a right length."""
        spans = [(0, 4), (9000, 9099), (50, 50)]
        header = "bytes=" + ",".join(f"{a}-{b}" for a, b in spans)
        for _ in range(2):
            got = self.get(self.blob_path, Range=header)
            self.assertEqual(got.status, 206)
            boundary = re.fullmatch(
                "multipart/byteranges; boundary=(.+)", got.header("Content-Type")
            )[1]
            parts = got.body.split(f"--{boundary}".encode())[1:-1]
            self.assertEqual(len(parts), len(spans))
            for part, (start, end) in zip(parts, spans, strict=True):
                head, _, body = part.partition(b"\r\n\r\n")
                self.assertIn(f"bytes {start}-{end}/10000".encode(), head)
                self.assertEqual(body, self.content[start : end + 1] + b"\r\n")
