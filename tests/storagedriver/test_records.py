"""Steps survive being written down, and the last one about a path decides."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.driver import PutFile
from txregistry.storagedriver.records import (
    Delete,
    Settled,
    Step,
    decode,
    encode,
    last_words,
)

PATHS = st.sampled_from(["/a", "/a/b", "/a/b/c", "/a/bc", "/d", "/dä\udcff"])
STEPS = st.lists(
    st.one_of(
        st.builds(PutFile, PATHS, st.binary(max_size=40)),
        st.builds(Delete, PATHS),
        st.builds(Settled, PATHS),
    ),
    max_size=12,
)


class RecordTests(SynchronousTestCase):
    """Records are read as they were written, or not at all."""

    @given(STEPS, STEPS)
    def test_round_trip(self, first: list[Step], second: list[Step]) -> None:
        """What is written is read, record after record."""
        data = encode(first, 7) + encode(second, 7)
        self.assertEqual(list(decode(data, 7)), first + second)

    @given(STEPS, STEPS, st.data())
    def test_torn(self, first: list[Step], second: list[Step], data) -> None:
        """A record that lacks its end, or has a wrong byte, is the end."""
        whole = encode(first, 7)
        torn = bytearray(encode(second, 7))
        place = data.draw(st.integers(0, len(torn) - 1))
        if data.draw(st.booleans()):
            del torn[place:]
        else:
            torn[place] ^= data.draw(st.integers(1, 255))
        self.assertEqual(list(decode(whole + bytes(torn), 7)), first)

    @given(STEPS, STEPS)
    def test_older_records_are_none(self, new: list[Step], old: list[Step]) -> None:
        """What an earlier use of the file left after ours is not ours."""
        data = encode(new, 8) + encode(old, 7) + bytes(100)
        self.assertEqual(list(decode(data, 8)), new)


class LastWordTests(SynchronousTestCase):
    """What steps come to."""

    @given(STEPS)
    def test_as_if_done_in_order(self, steps: list[Step]) -> None:
        """It is what doing them one after the other leaves."""
        expected: dict[str, bytes | None] = {}
        for step in steps:
            if isinstance(step, PutFile):
                expected[step.path] = step.content
            elif isinstance(step, Settled):
                expected[step.path] = None
            else:
                gone = [it for it in expected if f"{it}/".startswith(f"{step.path}/")]
                for path in gone:
                    del expected[path]
        outcome = last_words(steps)
        self.assertEqual(dict(outcome.files), expected)
        deleted = {step.path for step in steps if isinstance(step, Delete)}
        self.assertEqual(set(outcome.deleted), deleted)
