"""``auth.silly``: any credentials will do."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.auth.maker import make_controller
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.access import Access, IAccessController, RequestFacts
from txregistry.spec.errors import Unauthorized

WANTED = [Access("repository", "a/b", "pull")]


class SillyTests(SynchronousTestCase):
    """A header is all that is asked for."""

    def setUp(self) -> None:
        given = {"realm": "https://auth.example/", "service": "registry"}
        self.access = make_controller("silly", given, InlineDisk(), Clock())

    def refusal(self, wanted: list[Access]) -> Unauthorized:
        failed = self.access.authorize(facts=RequestFacts(), wanted=wanted)
        return self.failureResultOf(failed, Unauthorized).value

    def test_contract(self) -> None:
        """It is an access controller."""
        verifyObject(IAccessController, self.access)

    def test_any_header(self) -> None:
        """Whatever the header says, its sender is called silly and may do all."""
        for header in ("Basic Zm9vOmJhcg==", "Bearer x", "nonsense"):
            facts = RequestFacts(authorization=header)
            done = self.access.authorize(facts=facts, wanted=WANTED)
            grant = self.successResultOf(done)
            self.assertEqual((grant.user, grant.everything), ("silly", True))

    def test_no_header(self) -> None:
        """Without one, the challenge names realm, service and scope."""
        error = self.refusal(WANTED)
        self.assertEqual(error.status, 401)
        self.assertEqual(
            error.headers["WWW-Authenticate"],
            'Bearer realm="https://auth.example/",service="registry",'
            'scope="repository:a/b:pull"',
        )

    def test_no_scope(self) -> None:
        """Where nothing in particular is wanted, the challenge has no scope."""
        self.assertEqual(
            self.refusal([]).headers["WWW-Authenticate"],
            'Bearer realm="https://auth.example/",service="registry"',
        )
