"""Conditional requests on content that is named by its digest."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.conditional import (
    etag,
    match_holds,
    none_match_fails,
    range_applies,
)
from txregistry.spec.digest import Digest

DIGEST = Digest.of(b"")
TAG = etag(DIGEST)
OTHER = etag(Digest.of(b"other"))
DATE = "Mon, 01 Jan 2024 00:00:00 GMT"


class EtagTests(SynchronousTestCase):
    """What content is called in headers."""

    def test_quoted_digest(self) -> None:
        """It is the whole digest in double quotes."""
        self.assertEqual(TAG, f'"sha256:{DIGEST.hex}"')


class IfNoneMatchTests(SynchronousTestCase):
    """Whether a client has the content already."""

    def test_has_it(self) -> None:
        """Quoted, bare, weak, in a list, or a star."""
        for header in (
            TAG,
            str(DIGEST),
            f"W/{TAG}",
            f'"x", {TAG}',
            f'"x",{TAG},"y"',
            f"x, {DIGEST}",
            "*",
        ):
            self.assertTrue(none_match_fails([header], DIGEST), header)

    def test_has_something_else(self) -> None:
        """Another tag, a part of the digest, nothing, or a star that is a tag."""
        for header in ("", '"x"', "x, y", OTHER, '"*"', f'"{DIGEST.hex}"', TAG[:-2]):
            self.assertFalse(none_match_fails([header], DIGEST), header)

    def test_several_lines(self) -> None:
        """The header may stand several times, or not at all."""
        self.assertTrue(none_match_fails([OTHER, TAG], DIGEST))
        self.assertFalse(none_match_fails([], DIGEST))


class IfMatchTests(SynchronousTestCase):
    """Whether a request may go on."""

    def test_holds(self) -> None:
        """The strong tag, the bare digest, in a list, or a star."""
        for header in (TAG, str(DIGEST), f"{OTHER} , {TAG}", "*", f"{OTHER}, *"):
            self.assertTrue(match_holds([header], DIGEST), header)
        self.assertTrue(match_holds([OTHER, TAG], DIGEST))

    def test_does_not_hold(self) -> None:
        """A weak tag is no strong one; another tag is another one."""
        for header in ("", OTHER, f"W/{TAG}", '"*"', f'"x{DIGEST}"'):
            self.assertFalse(match_holds([header], DIGEST), header)


class IfRangeTests(SynchronousTestCase):
    """Whether a part may be given."""

    def test_applies(self) -> None:
        """Without the header, or with the strong tag."""
        for header in (None, TAG, f" {TAG} "):
            self.assertTrue(range_applies(header, DIGEST), header)

    def test_does_not_apply(self) -> None:
        """Weak tags, bare digests and dates get the whole."""
        for header in ("", OTHER, f"W/{TAG}", str(DIGEST), DATE, "*"):
            self.assertFalse(range_applies(header, DIGEST), header)
