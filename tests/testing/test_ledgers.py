"""The suite of ledgers finds what is wrong with one."""

from __future__ import annotations

from unittest import TestResult

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.expiry import Entry, EntryKey
from txregistry.testing.ledgers import ledger_suite


class Greedy(SqliteLedger):
    """Lets everybody claim everything."""

    def claim(self, entry: Entry) -> Deferred[bool]:
        return succeed(True)


class Forgetful(SqliteLedger):
    """Does not record uses."""

    def touch(self, key: EntryKey, now: float) -> None:
        pass


class SuiteTests(SynchronousTestCase):
    """Broken ledgers."""

    def failures(self, kind: type[SqliteLedger]) -> set[str]:
        suite = ledger_suite(lambda case: kind(case.mktemp() + "/l", InlineDisk()))
        result = TestResult()
        for name in dir(suite):
            if name.startswith("test_"):
                suite(name).run(result)
        broken = result.failures + result.errors
        return {case.id().rpartition(".")[2] for case, _ in broken}

    def test_claims(self) -> None:
        """Two claims of one entry are found."""
        self.assertIn("test_claim_once", self.failures(Greedy))

    def test_uses(self) -> None:
        """A use that keeps nothing is found, in each place where one counts."""
        found = self.failures(Forgetful)
        wanted = {"test_claim_of_what_was_used_since", "test_touch_moves_forward_only"}
        self.assertLessEqual(wanted, found)
