"""The databases beside the tree, from start to end."""

from __future__ import annotations

from sqlite3 import OperationalError
from unittest import mock

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.databases import Index, Ledger
from txregistry.interfaces.driver import DriverError
from txregistry.spec.errors import Unavailable


class IndexTests(SynchronousTestCase):
    """The look through the tree for the catalogue."""

    def setUp(self) -> None:
        self.looking: Deferred[None] = Deferred()
        self.order: list[str] = []
        self.reconciler = mock.Mock(is_shared=False)
        self.reconciler.repositories.side_effect = lambda: self.looking
        self.integrity, self.database = mock.Mock(), mock.Mock()
        self.integrity.flush.side_effect = lambda: self.note("flush")
        self.database.close.side_effect = lambda: self.note("close")
        self.service = Index(self.database, self.reconciler, self.integrity)

    def note(self, name: str) -> Deferred[None]:
        self.order.append(name)
        return succeed(None)

    def test_start(self) -> None:
        """The start waits for nothing; the end writes before it closes."""
        self.service.startService()
        self.reconciler.repositories.assert_called_once_with()
        self.looking.callback(None)
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.order, ["flush", "close"])

    def test_stopped_while_it_looks(self) -> None:
        """A look that is under way at the end is given up, without a word."""
        self.service.startService()
        with capturedLogs() as events:
            self.successResultOf(self.service.stopService())
        self.assertEqual((list(events), self.order), ([], ["flush", "close"]))

    def test_failures(self) -> None:
        """A tree, file or disk that cannot be read is one warning."""
        for error in (
            DriverError("inmemory", "/x", "I/O error"),
            OperationalError("locked"),
            Unavailable(),
        ):
            self.looking = fail(error)
            with capturedLogs() as events:
                self.service.startService()
            (told,) = map(formatEvent, events)
            self.assertIn("no catalogue yet", told)
            self.successResultOf(self.service.stopService())


class LedgerTests(SynchronousTestCase):
    """The end of the ledger."""

    def setUp(self) -> None:
        self.ledger, self.rebuild = mock.Mock(), mock.Mock()
        self.ledger.close.return_value = succeed(None)
        self.rebuild.export_state.return_value = succeed(None)
        self.service = Ledger(self.ledger, self.rebuild)
        self.service.startService()

    def stop(self) -> list[str]:
        with capturedLogs() as events:
            self.successResultOf(self.service.stopService())
        self.ledger.close.assert_called_once_with()
        return [formatEvent(event) for event in events]

    def test_written(self) -> None:
        """The state for the Go registry is written, and then the file is closed."""
        self.assertEqual(self.stop(), [])
        self.rebuild.export_state.assert_called_once_with()

    def test_no_state(self) -> None:
        """Without it the file is closed all the same."""
        for error in (DriverError("inmemory", "/x"), OperationalError("full")):
            self.setUp()
            self.rebuild.export_state.return_value = fail(error)
            (told,) = self.stop()
            self.assertIn("no scheduler state written", told)

    def test_state_that_cannot_be_made(self) -> None:
        """The file is closed also if the export fails as nobody expects."""
        self.rebuild.export_state.return_value = fail(ValueError("no such time"))
        self.failureResultOf(self.service.stopService(), ValueError)
        self.ledger.close.assert_called_once_with()

    def test_not_saved(self) -> None:
        """That the last uses are lost is told."""
        self.ledger.close.return_value = fail(OperationalError("full"))
        (told,) = self.stop()
        self.assertIn("the last uses are not saved", told)
