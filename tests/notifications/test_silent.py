"""A registry that tells nobody."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.notifications.test_notifier import event
from txregistry.interfaces.events import IEventSink
from txregistry.notifications.silent import NullSink


class NullSinkTests(SynchronousTestCase):
    """Events that go nowhere."""

    def test_dropped(self) -> None:
        """It says that nobody listens, and whatever is emitted is done at once."""
        sink = NullSink()
        verifyObject(IEventSink, sink)
        self.assertFalse(sink.listening)
        self.assertIsNone(self.successResultOf(sink.emit(event=event(1))))
