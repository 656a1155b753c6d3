"""The last events."""

from __future__ import annotations

from twisted.logger import Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.context import request_id
from txregistry.interfaces.audit import AuditEntry
from txregistry.interfaces.history import EventKind, IActivity
from txregistry.observe import activity
from txregistry.observe.activity import Activity
from txregistry.observe.audit import NAMESPACE, audit_fields, format_audit


class ActivityTests(SynchronousTestCase):
    """What is remembered of the log."""

    def setUp(self) -> None:
        self.publisher = LogPublisher()
        self.activity = Activity(self.publisher)
        self.activity.startService()

    def log(self, namespace: str) -> Logger:
        return Logger(namespace=namespace, observer=self.publisher)

    def told(self, *kinds: EventKind, text: str = "", limit: int = 10) -> list[str]:
        found = self.activity.events(kinds=frozenset(kinds), text=text, limit=limit)
        return [event.text for event in found]

    def test_kinds(self) -> None:
        """What came, went, failed or was changed; the newest first."""
        verifyObject(IActivity, self.activity)
        self.log("txregistry.proxy.fill").info("blob {digest} downloaded", digest="a")
        self.log("txregistry.eviction.freeing").info("made room")
        self.log("txregistry.proxy.fill").warn("blob {digest} failed", digest="b")
        entry = AuditEntry("purge", "done", "ann")
        fields = audit_fields(entry)
        self.log(NAMESPACE).info(
            "{text}", text=format_audit(fields), audit=True, **fields
        )
        self.log("txregistry.daemon").info("ready")
        for kind, text in (
            (EventKind.CAME, "blob a downloaded"),
            (EventKind.WENT, "made room"),
            (EventKind.FAILED, "blob b failed"),
            (EventKind.CHANGED, "action=purge outcome=done who=ann"),
            (EventKind.NOTED, "ready"),
        ):
            self.assertEqual(self.told(kind), [text])
        self.assertEqual(self.told(limit=2), ["ready", self.told()[1]])
        self.assertEqual(len(self.told()), 5)

    def test_marked(self) -> None:
        """What has gone is told of, although it is below the level of the log."""
        log = self.log("txregistry.expiry")
        log.debug("blob {digest} has gone", digest="a", activity=True)
        self.assertEqual(self.told(EventKind.WENT), ["blob a has gone"])

    def test_changes_stay(self) -> None:
        """What was changed by whom is not pushed out by what is told all the time."""
        self.log(NAMESPACE).info("purged", audit=True)
        for number in range(activity.MAX_EVENTS + 1):
            self.log("txregistry.web").info("{n}", n=number)
        self.assertEqual(self.told(EventKind.CHANGED), ["purged"])
        found = self.activity.events(kinds=frozenset(), text="", limit=10**6)
        numbers = [event.number for event in found]
        self.assertEqual(numbers, sorted(numbers, reverse=True))

    def test_what_is_not_told(self) -> None:
        """Debug messages, other libraries, and all after the end."""
        self.log("txregistry.proxy").debug("nothing")
        self.log("twisted.web").warn("nothing")
        self.activity.stopService()
        self.log("txregistry.proxy").info("nothing")
        self.assertEqual(self.told(), [])

    def test_search(self) -> None:
        """By a part of the text, or by the id of a request."""
        token = request_id.set("abc123")
        self.log("txregistry.web").warn("Answer aborted")
        request_id.reset(token)
        self.log("txregistry.web").warn("another")
        self.assertEqual(self.told(text="ABORTED"), ["Answer aborted"])
        self.assertEqual(self.told(text="abc123"), ["Answer aborted"])
        self.assertEqual(self.told(text="abc"), [])

    def test_what_is_frequent(self) -> None:
        """Slow answers push nothing else out, nor does anything push out changes."""
        self.log("txregistry.proxy").warn("lost")
        for number in range(activity.MAX_EVENTS + 5):
            self.log("txregistry.observe.slow").info("{n}", n=number)
        self.assertEqual(self.told(EventKind.FAILED), ["lost"])
        found = self.activity.events(kinds=frozenset(), text="", limit=10**6)
        self.assertEqual(len(found), activity.MAX_APART[EventKind.SLOW] + 1)
        numbers = [event.number for event in found]
        self.assertEqual(numbers, sorted(numbers, reverse=True))

    def test_pages(self) -> None:
        """Those before one that is known."""
        for number in range(5):
            self.log("txregistry.web").info("{n}", n=number)
        found = self.activity.events(kinds=frozenset(), text="", limit=2, before=4)
        self.assertEqual([event.number for event in found], [3, 2])
        self.assertEqual(self.activity.latest(), 5)

    def test_it_is_bounded(self) -> None:
        """The oldest go first, and a long text is cut."""
        for number in range(activity.MAX_EVENTS + 5):
            self.log("txregistry.web").info("{n} {x}", n=number, x="x" * 5000)
        found = self.activity.events(kinds=frozenset(), text="", limit=10**6)
        self.assertEqual(len(found), activity.MAX_EVENTS)
        self.assertEqual(found[-1].number, 6)
        self.assertEqual(len(found[0].text), activity.MAX_TEXT)
