"""What is checked before a body is read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.access import Access, Grant, RequestFacts
from txregistry.spec.errors import Unauthorized, Unavailable, Unsupported
from txregistry.spec.gate import Change, Gate
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import UpstreamTable
from txregistry.web.admission import (
    Admission,
    catalog_access,
    content_access,
    no_access,
    upload_access,
)

NAME = RepositoryName.parse("a/b")
WANTED = [Access("repository", "a/b", "pull")]


class Controller:
    """Answers as it is told; notes what it is told of requests."""

    def __init__(self) -> None:
        self.answer: Deferred[Grant] = succeed(Grant("ann"))
        self.facts: list[RequestFacts] = []

    def authorize(self, facts: RequestFacts, wanted: object) -> Deferred[Grant]:
        self.facts.append(facts)
        return self.answer


class AdmitTests(SynchronousTestCase):
    """Health, access, gate, in this order."""

    def setUp(self) -> None:
        self.controller, self.health = Controller(), mock.Mock(healthy=True)
        self.urls = mock.Mock(**{"base.return_value": ("https", "registry.example")})
        self.forwarded = ""
        self.request: Any = SimpleNamespace(
            header=lambda name: f"the {name}",
            peer="192.0.2.1",
            forwarded=lambda name: self.forwarded,
            actor="",
        )

    def admit(self, change: Change = Change.NOTHING, **gate: bool) -> Deferred[Grant]:
        admission = Admission(self.controller, self.health, Gate(**gate), self.urls)
        return admission.admit(self.request, WANTED, change, False)

    def test_admitted(self) -> None:
        """The grant is given, and the request has its user from then on."""
        self.assertEqual(self.successResultOf(self.admit()), Grant("ann"))
        self.assertEqual(self.request.actor, "ann")

    def test_told(self) -> None:
        """The controller is told how the client asked, and whether a proxy said so."""
        self.admit()
        self.forwarded = "https"
        self.admit()
        first, second = self.controller.facts
        expected = ("the Authorization", "https", "registry.example", "192.0.2.1", "")
        self.assertEqual(first, RequestFacts(*expected))
        self.assertEqual(second, RequestFacts(*expected[:4], "https"))

    def test_refused(self) -> None:
        """Who is not let in is not told what the gate says, and has no name."""
        self.controller.answer = fail(Unauthorized())
        self.failureResultOf(self.admit(Change.DELETE), Unauthorized)
        self.assertEqual(self.request.actor, "")

    def test_gate(self) -> None:
        """What the gate does not permit is refused to whoever was let in."""
        self.failureResultOf(self.admit(Change.DELETE), Unsupported)
        self.assertEqual(self.request.actor, "ann")

    def test_health(self) -> None:
        """While a check fails nobody gets that far."""
        admission = Admission(self.controller, self.health, Gate(), self.urls)
        admission.check_health()
        self.health.healthy = False
        self.assertRaises(Unavailable, admission.check_health)


class RequiredTests(SynchronousTestCase):
    """What access a request needs."""

    def actions(self, required: Any, method: bytes, source: str = "") -> list[str]:
        query = {"mount": f"sha256:{'a' * 64}", "from": source} if source else {}
        request = SimpleNamespace(method=method, query=query.get)
        return [
            f"{item.kind}:{item.name}:{item.action}" for item in required(request, NAME)
        ]

    def test_content(self) -> None:
        """Who reads pulls, who writes pulls and pushes, who deletes deletes."""
        of = "repository:a/b:"
        for method, actions in (
            (b"GET", [f"{of}pull"]),
            (b"HEAD", [f"{of}pull"]),
            (b"PUT", [f"{of}pull", f"{of}push"]),
            (b"DELETE", [f"{of}delete"]),
        ):
            self.assertEqual(self.actions(content_access, method), actions, method)

    def test_uploads(self) -> None:
        """Uploads are pushed, also when they are deleted; a mount pulls its source."""
        push = ["repository:a/b:pull", "repository:a/b:push"]
        required = upload_access(UpstreamTable())
        for method in (b"POST", b"PATCH", b"PUT", b"GET", b"DELETE"):
            self.assertEqual(self.actions(required, method), push, method)
        found = self.actions(required, b"POST", "c/d")
        self.assertEqual(found, [*push, "repository:c/d:pull"])
        self.assertEqual(self.actions(required, b"PUT", "c/d"), push)

    def test_others(self) -> None:
        """The catalogue has an access of its own; the base needs none."""
        self.assertEqual(self.actions(catalog_access, b"GET"), ["registry:catalog:*"])
        self.assertEqual(self.actions(no_access, b"GET"), [])
