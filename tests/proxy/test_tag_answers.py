"""The last answers about tags."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy.tag_answers import (
    MAX_BYTES,
    SeenTag,
    make_tag_answers,
    remember_answer,
)
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag

NAME, TAG = RepositoryName.parse("a"), Tag.parse("v1")


def seen(at: float, media_type: str = "x/y") -> SeenTag:
    return SeenTag(Descriptor(Digest.of(b"x"), 1, media_type), at)


class AnswerTests(SynchronousTestCase):
    """Answers, up to a number of bytes."""

    def setUp(self) -> None:
        self.answers = make_tag_answers()

    def test_newest(self) -> None:
        """An answer replaces the older one of its tag, and of no other."""
        other = Tag.parse("v2")
        for at in (1.0, 2.0):
            remember_answer(self.answers, NAME, TAG, seen(at))
        used = self.answers.used_bytes
        remember_answer(self.answers, NAME, other, seen(3.0))
        self.assertEqual(self.answers.get((NAME, TAG)).confirmed_at, 2.0)
        self.assertEqual(self.answers.used_bytes, 2 * used)

    def test_texts_count(self) -> None:
        """What an upstream makes long takes as much of the limit."""
        remember_answer(self.answers, NAME, TAG, seen(1.0))
        short = self.answers.used_bytes
        remember_answer(self.answers, NAME, TAG, seen(1.0, "x" * 5000))
        self.assertGreaterEqual(self.answers.used_bytes, short + 4900)

    def test_limit(self) -> None:
        """The oldest answers make room; there are never more bytes than the limit."""
        for number in range(20_000):
            remember_answer(self.answers, NAME, Tag(f"t{number}"), seen(1.0))
        self.assertLessEqual(self.answers.used_bytes, MAX_BYTES)
        self.assertIsNone(self.answers.get((NAME, Tag("t0"))))
        self.assertIsNotNone(self.answers.get((NAME, Tag("t19999"))))
