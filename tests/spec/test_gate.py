"""What may be done here."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.errors import Unsupported
from txregistry.spec.gate import Change, Gate


class GateTests(SynchronousTestCase):
    """What may be changed."""

    def test_table(self) -> None:
        """Nothing changes a cache or a read-only registry; deletes are asked for."""
        for is_cached, read_only, deletes in product((False, True), repeat=3):
            gate = Gate(read_only, deletes)
            gate.check(Change.NOTHING, is_cached)
            is_open = not is_cached and not read_only
            for change, passes in (
                (Change.PUSH, is_open),
                (Change.DELETE, is_open and deletes),
            ):
                if passes:
                    gate.check(change, is_cached)
                    continue
                with self.assertRaises(Unsupported) as caught:
                    gate.check(change, is_cached)
                self.assertEqual(caught.exception.status, 405)
                self.assertIn("reason", caught.exception.detail)

    def test_default(self) -> None:
        """Unless it is said otherwise one may push and not delete."""
        Gate().check(Change.PUSH)
        self.assertRaises(Unsupported, Gate().check, Change.DELETE)
