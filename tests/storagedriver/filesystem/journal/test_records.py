"""Steps survive being written down, and the last one about a path decides."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.driver import PutFile
from txregistry.storagedriver.filesystem.journal.records import (
    SALT_BYTES,
    Delete,
    JournalUnreadable,
    ReplayResult,
    Step,
    _step,
    decode,
    encode,
    fold,
)

PATHS = st.sampled_from(["/a", "/a/b", "/a/b/c", "/a/bc", "/d", "/dä\udcff"])
STEPS = st.lists(
    st.one_of(
        st.builds(PutFile, PATHS, st.binary(max_size=40)),
        st.builds(Delete, PATHS),
    ),
    max_size=12,
)

SALT, OTHER = b"s" * SALT_BYTES, b"o" * SALT_BYTES


class RecordTests(SynchronousTestCase):
    """Records are read as they were written, or not at all."""

    def torn(self, steps: list[Step], data) -> bytes:
        """Give a record that lacks its end, or has a wrong byte."""
        torn = bytearray(encode(steps, SALT, 2.0))
        place = data.draw(st.integers(0, len(torn) - 1))
        if data.draw(st.booleans()):
            del torn[place:]
        else:
            torn[place] ^= data.draw(st.integers(1, 255))
        return bytes(torn)

    @given(STEPS, STEPS)
    def test_round_trip(self, first: list[Step], second: list[Step]) -> None:
        """What is written is read, record after record."""
        data = encode(first, SALT, 1.0) + encode(second, SALT, 2.5)
        told = decode(data + bytes(50), SALT)
        self.assertEqual(told, ReplayResult(first + second, 2.5, len(data)))

    def test_nothing(self) -> None:
        """Where nothing was written nothing is said."""
        self.assertEqual(decode(b"", SALT), ReplayResult())

    @given(STEPS, STEPS, st.data())
    def test_torn(self, first: list[Step], second: list[Step], data) -> None:
        """A record that is not whole is the end, where nothing comes after it."""
        whole = encode(first, SALT, 1.0)
        told = decode(whole + self.torn(second, data), SALT)
        self.assertEqual(told, ReplayResult(first, 1.0, len(whole)))

    @given(STEPS, STEPS, STEPS, st.data())
    def test_damaged(
        self, first: list[Step], second: list[Step], third: list[Step], data
    ) -> None:
        """What comes after a record that is not whole is read, and that is told."""
        torn = self.torn(second, data)
        assume(torn)
        before = encode(first, SALT, 1.0) + torn
        whole = before + encode(third, SALT, 3.0)
        told = decode(whole, SALT)
        self.assertEqual(told, ReplayResult(first + third, 3.0, len(whole), True))

    @given(STEPS, STEPS)
    def test_older_records_are_none(self, new: list[Step], old: list[Step]) -> None:
        """What an earlier use of the file left after ours is not ours."""
        data = encode(new, SALT, 1.0) + encode(old, OTHER, 2.0) + bytes(100)
        self.assertEqual(decode(data, SALT).steps, new)

    @given(STEPS, STEPS)
    def test_sent_records_are_none(self, sent: list[Step], steps: list[Step]) -> None:
        """A client cannot send one: it does not know the salt."""
        content = encode(sent, OTHER, 1.0)
        put = PutFile("/a", content)
        data = encode([put], SALT, 1.0) + content
        self.assertEqual(decode(data, SALT).steps, [put])

    def test_unknown_kind(self) -> None:
        """A step of another version is not passed over."""
        self.assertRaises(JournalUnreadable, _step, 2, "/a", b"")


class LastWordTests(SynchronousTestCase):
    """What steps come to."""

    @given(STEPS)
    def test_as_if_done_in_order(self, steps: list[Step]) -> None:
        """It is what doing them one after the other leaves."""
        expected: dict[str, bytes] = {}
        for step in steps:
            if isinstance(step, PutFile):
                expected[step.path] = step.content
            else:
                gone = [it for it in expected if f"{it}/".startswith(f"{step.path}/")]
                for path in gone:
                    del expected[path]
        outcome = fold(steps)
        self.assertEqual(dict(outcome.files), expected)
        deleted = {step.path for step in steps if isinstance(step, Delete)}
        self.assertEqual(set(outcome.deleted), deleted)
