"""Who is let in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.web.console.cases import ByName
from txregistry.auth.open import OpenAccess
from txregistry.interfaces.audit import Requester
from txregistry.spec.errors import Denied, Unauthorized
from txregistry.web.console.visitors import Reception


class Asking(SimpleNamespace):
    """A request as far as it is looked at."""

    peer = "10.0.0.7"
    actor = ""

    def isSecure(self) -> bool:
        return False

    def forwarded(self, name: str) -> str:
        return ""

    def header(self, name: str) -> str:
        return self.__dict__.get(name, "")


class ReceptionTests(SynchronousTestCase):
    """By a controller and a list of users, or by the mode of a socket."""

    def admit(self, roles: dict[str, str], user: str = "", **named: Any) -> Any:
        controller = named.pop("controller", ByName())
        request = Asking(
            Authorization=user, Host="localhost", channel=SimpleNamespace(transport="t")
        )
        reception = Reception(controller, roles, **named)
        return reception.admit(request)

    def test_roles(self) -> None:
        """A name of one's own counts more than everybody's."""
        roles = {"ann": "operate", "bob": "read", "*": "read"}
        for user, may_act in (("ann", True), ("bob", False), ("eve", False)):
            visitor = self.successResultOf(self.admit(roles, user))
            self.assertEqual(visitor.who, Requester(user, "10.0.0.7"))
            self.assertEqual(visitor.may_act, may_act)
        self.failureResultOf(self.admit({"ann": "read"}, "eve"), Denied)
        self.failureResultOf(self.admit({"*": "operate"}), Unauthorized)

    def test_nobody_is_asked(self) -> None:
        """Where there is no access control everybody is anybody."""
        admitted = self.admit({"*": "operate"}, controller=OpenAccess())
        visitor = self.successResultOf(admitted)
        self.assertEqual((visitor.who.who, visitor.may_act), ("anybody", True))

    def test_a_socket(self) -> None:
        """Whoever may open it may do everything; the kernel says who it is."""
        named = {"name_peer": lambda transport: Requester(f"of {transport}")}
        visitor = self.successResultOf(self.admit({}, **named))
        self.assertEqual((visitor.who.who, visitor.may_act), ("of t", True))
