"""What is recorded and not written yet."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.expiry.batch import Batch
from txregistry.interfaces.expiry import Entry
from txregistry.testing.ledgers import key_of

KEY = key_of("x")
ENTRY = Entry(KEY, 1, 1.0)


def batch(*steps: tuple) -> Batch:
    made = Batch()
    for method, *arguments in steps:
        getattr(made, method)(*arguments)
    return made


class BatchTests(SynchronousTestCase):
    """The last record of each kind counts."""

    def test_length(self) -> None:
        """Every record counts, and an empty batch is false."""
        self.assertFalse(batch())
        made = batch(("add", ENTRY), ("touch", KEY, 1.0), ("confirm", KEY, 1.0, "it"))
        self.assertEqual(len(made), 3)
        made.forget(key_of("y"))
        self.assertEqual(len(made), 4)

    def test_forget(self) -> None:
        """What is forgotten leaves nothing else to be written."""
        made = batch(("add", ENTRY), ("touch", KEY, 1.0), ("confirm", KEY, 1.0, "it"))
        made.forget(KEY)
        self.assertEqual(made, batch(("forget", KEY)))

    def test_add_after_forget(self) -> None:
        """It is there again."""
        made = batch(("forget", KEY), ("add", ENTRY))
        self.assertEqual(made, batch(("add", ENTRY)))

    def test_put_back(self) -> None:
        """What could not be written comes before what was recorded since."""
        for first, later, wanted in (
            ([("add", ENTRY)], [("forget", KEY)], [("forget", KEY)]),
            ([("forget", KEY)], [("add", ENTRY)], [("add", ENTRY)]),
            ([("touch", KEY, 1.0)], [("touch", KEY, 2.0)], [("touch", KEY, 2.0)]),
            ([("confirm", KEY, 1.0, "it")], [], [("confirm", KEY, 1.0, "it")]),
            ([("confirm", KEY, 1.0, "it")], [("forget", KEY)], [("forget", KEY)]),
        ):
            made = batch(*first)
            made.before(batch(*later))
            self.assertEqual(made, batch(*wanted))
