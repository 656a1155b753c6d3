"""Verdicts on stored content."""

from __future__ import annotations

import errno
import gc
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, Unavailable
from txregistry.storage.content.verdicts import (
    VERIFIED_FIRST_BYTES,
    Verdicts,
    is_large,
)

DIGEST, LOST = Digest.of(b"x"), OSError(errno.EIO, "Input/output error")


class Records:
    """What is recorded of content, and what it turns out to be when it is read."""

    def __init__(self) -> None:
        self.recalled: bool | None = None
        self.found: bool | None = None
        self.read: bool | Exception | None = None
        self.asked: list[str] = []

    def recall(self, digest: Digest, identity: str) -> bool | None:
        return self.recalled

    def find(self, digest: Digest, identity: str, size: int) -> Deferred[Any]:
        self.asked.append("find")
        return succeed(self.found)

    def verify(self, digest: Digest, identity: str) -> Deferred[Any]:
        self.asked.append("read")
        return (
            fail(self.read) if isinstance(self.read, Exception) else succeed(self.read)
        )


class Reports:
    """Takes reports."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def report(self, digest: Digest, identity: str) -> None:
        self.told.append("damaged")

    def report_lost(self, digest: Digest, identity: str) -> None:
        self.told.append("lost")


class VerdictTests(SynchronousTestCase):
    """What is known, and what has to be read."""

    def setUp(self) -> None:
        records, reports = Records(), Reports()
        self.records, self.reports = records, reports
        integrity: Any = records
        damage: Any = reports
        self.verdicts = Verdicts(integrity, damage)

    def judge(self, size: int = 1) -> Deferred[bool]:
        return self.verdicts.judge(DIGEST, "identity", size)

    def test_known(self) -> None:
        """What memory has, nobody is asked for; nor is what is recorded read."""
        self.records.recalled = True
        self.assertTrue(self.successResultOf(self.judge()))
        self.assertEqual(self.records.asked, [])
        self.records.recalled, self.records.found = None, True
        self.assertTrue(self.successResultOf(self.judge()))
        self.assertEqual(self.records.asked, ["find"])

    def test_read_first(self) -> None:
        """Of small content all is read; what was replaced meanwhile is not verified."""
        for read, expected in ((True, True), (None, False)):
            self.records.read = read
            self.assertIs(self.successResultOf(self.judge()), expected)
        self.assertEqual(self.records.asked, ["find", "read"] * 2)

    def test_large(self) -> None:
        """Large content is given before it is known."""
        self.assertFalse(is_large(VERIFIED_FIRST_BYTES))
        self.assertIs(self.successResultOf(self.judge(VERIFIED_FIRST_BYTES + 1)), False)
        self.assertEqual(self.records.asked, ["find"])

    def test_damage(self) -> None:
        """It is missing, and reported, however it became known."""
        for where in ("recalled", "found", "read"):
            self.records.__init__()  # type: ignore[misc]
            setattr(self.records, where, False)
            self.failureResultOf(self.judge(), BlobUnknown)
        self.assertEqual(self.reports.told, ["damaged"] * 3)

    def test_lost(self) -> None:
        """What the disk does not give fails as the disk does, and is reported."""
        self.records.read = LOST
        self.failureResultOf(self.judge(), OSError)
        self.failureResultOf(self.verdicts.confirm(DIGEST, "identity"), OSError)
        self.records.read = OSError(errno.EMFILE, "Too many open files")
        self.failureResultOf(self.judge(), OSError)
        self.assertEqual(self.reports.told, ["lost"] * 2)

    def test_confirm(self) -> None:
        """Whoever reads meanwhile is told whether it was what it should be."""
        for read, told in ((False, ["damaged"]), (None, [])):
            self.reports.told.clear()
            self.records.read = read
            confirmed = self.verdicts.confirm(DIGEST, "identity")
            self.failureResultOf(confirmed, Unavailable)
            self.assertEqual(self.reports.told, told)
        self.records.read = True
        self.successResultOf(self.verdicts.confirm(DIGEST, "identity"))

    def test_behind(self) -> None:
        """Nobody waits for it: its failures are handled."""
        for read in (LOST, False, None):
            self.records.read = read
            self.verdicts.confirm_behind(DIGEST, "identity")
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.reports.told, ["lost", "damaged"])
