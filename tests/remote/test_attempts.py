"""One attempt to authenticate, with a login and a registry that the test plays."""

from __future__ import annotations

from unittest import mock

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IResponse
from zope.interface import directlyProvides

from txregistry.remote.attempts import Attempt, AuthTarget
from txregistry.remote.origin import Origin
from txregistry.spec.challenge import Challenge
from txregistry.spec.errors import Denied, UpstreamFailed

BASIC, BEARER = Challenge("basic", {}), Challenge("bearer", {"realm": "r"})


def answer(code: int) -> IResponse:
    """Give a response with a status and no body."""
    response = mock.Mock(code=code, length=0)
    directlyProvides(response, IResponse)
    return response


class AttemptTests(SynchronousTestCase):
    """Challenges in order, each authorization once."""

    def setUp(self) -> None:
        self.login, self.asked = mock.Mock(), []
        self.codes: dict[str | None, int] = {}
        url = "https://registry.example/v2/"
        target = AuthTarget(url, Origin.of(url), "", self.login)
        self.attempt = Attempt(target, self.ask, Clock())
        self.login.authorization.side_effect = lambda c, *_: succeed(c.scheme)

    def ask(self, authorization: str | None) -> Deferred[IResponse]:
        self.asked.append(authorization)
        return succeed(answer(self.codes.get(authorization, 401)))

    def tried(self) -> IResponse | None:
        return self.successResultOf(self.attempt.try_each([BASIC, BEARER]))

    def test_in_order(self) -> None:
        """The first that is accepted ends it."""
        self.codes = {"bearer": 200}
        met = self.tried()
        self.assertEqual((met and met.code, self.asked), (200, ["basic", "bearer"]))

    def test_once_each(self) -> None:
        """What was refused is not sent again; the last refusal is the result."""
        self.assertIsNone(self.tried())
        self.codes = {"basic": 200}
        self.assertIsNone(self.tried())
        self.assertEqual(self.asked, ["basic", "bearer"])
        self.assertEqual(self.attempt.result().code, 401)

    def test_error(self) -> None:
        """A challenge without an authorization is passed over, and told at the end."""
        self.login.authorization.side_effect = lambda *_: fail(UpstreamFailed({}))
        self.assertIsNone(self.tried())
        self.assertIsNone(self.tried())
        self.assertEqual(self.login.authorization.call_count, 2)
        self.assertRaises(UpstreamFailed, self.attempt.result)
        self.assertFalse(self.attempt.renew_credentials())

    def test_renewed(self) -> None:
        """Other credentials may do for what these were refused for."""
        self.login.authorization.side_effect = lambda *_: fail(Denied({}))
        self.assertIsNone(self.tried())
        self.login.renew.return_value = False
        self.assertFalse(self.attempt.renew_credentials())
        self.login.renew.return_value = True
        self.assertTrue(self.attempt.renew_credentials())
        self.login.authorization.side_effect = lambda c, *_: succeed(c.scheme)
        self.codes = {"basic": 200}
        self.assertIsNotNone(self.tried())
