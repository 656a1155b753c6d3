"""Which sites may give an answer again."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from tests.assembly.test_middleware import MiddlewareCase, item
from tests.offers import Point, offer
from txregistry.auth.offered import ACCESS_CONTROLLERS
from txregistry.interfaces.access import Grant, IAccessController


@implementer(IAccessController)
class ByAddress:
    """Lets in some addresses; anybody may write one of these."""

    def authorize(self, facts: Any, wanted: Any) -> Deferred[Grant]:
        return succeed(Grant())


class RepeatedTests(MiddlewareCase):
    """None where somebody may decide by the address of a client, or the storage."""

    def repeats(self, **config: Any) -> bool:
        self.start(**config)
        return self.site.ready is not None

    def test_who_may_decide_otherwise(self) -> None:
        """Middleware of the storage sees no client."""
        silly = {"silly": {"realm": "r", "service": "s"}}
        self.assertTrue(self.repeats())
        self.assertTrue(self.repeats(auth=silly))
        self.assertTrue(self.repeats(middleware={"storage": [item("a")]}))
        self.assertFalse(self.repeats(middleware={"repository": [item("a")]}))
        self.assertFalse(self.repeats(middleware={"registry": [item("a")]}))
        unused = [item("a", disabled=True)]
        self.assertTrue(self.repeats(middleware={"registry": unused}))

    def test_a_controller_of_others(self) -> None:
        """It has to say that it does not look at addresses."""
        offer(self, ACCESS_CONTROLLERS, Point("addresses", lambda *_: ByAddress()))
        self.assertFalse(self.repeats(auth={"addresses": {}}))
        self.reload()
        self.assertIsNotNone(self.site.ready)

    def test_a_shared_storage(self) -> None:
        """Others change it."""
        section = {"filesystem": {"rootdirectory": self.mktemp(), "shared": True}}
        self.assertFalse(self.repeats(storage=section))
