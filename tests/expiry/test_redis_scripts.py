"""What is given to redis, and read from it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.expiry.batch import Batch
from txregistry.expiry.redis_scripts import (
    member,
    operations,
    read_confirmation,
    read_entries,
    read_holder,
    restoring,
)
from txregistry.interfaces.expiry import Entry, Kind
from txregistry.spec.reference import RepositoryName
from txregistry.testing.ledgers import key_of

TAG = key_of("v1.0", "a/b", Kind.TAG)


class ScriptTests(SynchronousTestCase):
    """Members and operations as texts."""

    def test_members(self) -> None:
        """A member is read back as what it stands for, with every digit of its use."""
        self.assertEqual(member(TAG), "a/b tag v1.0")
        entry = Entry(TAG, 12, 1764374400.123457)
        (words,) = restoring([entry])
        self.assertEqual(words, ("r", "a/b tag v1.0", "12", "1764374400.123457"))
        self.assertEqual(read_entries([member(TAG), words[3], words[2]]), [entry])

    def test_holder(self) -> None:
        """The repository stands in the middle."""
        self.assertEqual(read_holder("v1.0 a/b tag"), RepositoryName("a/b"))

    def test_confirmation(self) -> None:
        """It counts for what it is about, and what is none of ours for nothing."""
        for words, at in (
            (["7.25 it"], 7.25),
            (["7.25 another"], None),
            (["x it"], None),
            (["7.25"], None),
            (["it"], None),
            ([None], None),
            ([], None),
        ):
            self.assertEqual(read_confirmation(words, "it"), at)

    def test_foreign_answers(self) -> None:
        """What is no member of ours is refused."""
        for words in (["a"], ["a b", "1", "2"], ["a nothing x", "1", "2"]):
            self.assertRaises(ValueError, read_entries, words)
        for words in (["a tag x", "?", "2"], ["a tag x", "1", "?"]):
            self.assertRaises(ValueError, read_entries, words)

    def test_order(self) -> None:
        """What was removed is written before what is there, and uses come after."""
        batch = Batch()
        batch.forget(key_of("x"))
        batch.add(Entry(TAG, 0, 1.0))
        batch.touch(TAG, 2.0)
        batch.confirm(TAG, 3.0, "it")
        letters = [words[0] for words in operations(batch)]
        self.assertEqual(letters, ["f", "a", "t", "c"])
