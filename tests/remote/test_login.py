"""How challenges are answered."""

from __future__ import annotations

from collections.abc import Collection

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.credentials import Credentials
from txregistry.remote.login import Login, is_no_downgrade
from txregistry.remote.origin import Origin
from txregistry.remote.tokens import TokenKey
from txregistry.spec.challenge import Challenge
from txregistry.spec.errors import Unauthorized

HOME = Origin.of("https://upstream.example")
REALM = "https://auth.example/token"
BASIC = Challenge("basic", {"realm": "x"})


class Store:
    """Credentials of each server, or none."""

    def __init__(self) -> None:
        self.found: dict[str, Credentials] = {}
        self.may_differ = True

    def credentials(self, server: str) -> Deferred[Credentials | None]:
        return succeed(self.found.get(server))

    def forget(self, server: str) -> bool:
        return self.may_differ


class Tokens:
    """Notes for what tokens are asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[TokenKey, set[str]]] = []
        self.forgotten = 0
        self.error: Exception | None = None

    def get(self, key: TokenKey, refused: Collection[str]) -> Deferred[str]:
        self.asked.append((key, set(refused)))
        return succeed("t1") if self.error is None else fail(self.error)

    def forget(self) -> None:
        self.forgotten += 1


def bearer(**parameters: str) -> Challenge:
    return Challenge("bearer", {"realm": REALM, **parameters})


class LoginTests(SynchronousTestCase):
    """Credentials and tokens."""

    def setUp(self) -> None:
        self.store, self.tokens = Store(), Tokens()
        self.trusted = True
        self.login = Login(self.store, self.tokens, lambda registry, url: self.trusted)

    def answer(
        self,
        challenge: Challenge,
        scope: str | None = None,
        refused: Collection[str] = (),
    ) -> str | None:
        return self.successResultOf(
            self.login.authorization(challenge, "h:1", scope, refused)
        )

    def test_basic(self) -> None:
        """Basic is answered by the credentials of the registry, if there are some."""
        self.assertIsNone(self.answer(BASIC))
        self.store.found["h:1"] = Credentials(identity_token="x")
        self.assertIsNone(self.answer(BASIC))
        self.store.found["h:1"] = Credentials("a", "b")
        self.assertEqual(self.answer(BASIC), "Basic YTpi")
        self.assertEqual(self.tokens.asked, [])

    def test_bearer(self) -> None:
        """A token is asked for by realm, service and scope; ours counts if given."""
        self.assertEqual(self.answer(bearer(service="s", scope="theirs")), "Bearer t1")
        self.answer(bearer(scope="theirs"), scope="ours")
        self.answer(bearer(), scope="")
        keys = [key for key, _ in self.tokens.asked]
        expected = [("s", "theirs"), ("", "ours"), ("", "")]
        self.assertEqual(keys, [TokenKey(REALM, *each) for each in expected])

    def test_refused(self) -> None:
        """Tokens that were refused are named, so that they are not given again."""
        self.answer(bearer(), refused=["Bearer t0", "Basic x"])
        self.assertLessEqual({"t0"}, self.tokens.asked[0][1])
        self.assertNotIn("Bearer t0", self.tokens.asked[0][1])

    def test_no_token(self) -> None:
        """Without a token it fails as the token service did."""
        self.tokens.error = Unauthorized()
        done = self.login.authorization(bearer(), "h:1", None, ())
        self.failureResultOf(done, Unauthorized)

    def test_trust(self) -> None:
        """Basic is always answered; a token service has to be trusted, and a URL."""
        self.assertTrue(self.login.trusts(bearer(), HOME))
        for realm in ("https://auth/ token", "https://\xe9/", "https://a/\n", ""):
            found = self.login.trusts(Challenge("bearer", {"realm": realm}), HOME)
            self.assertEqual(found, realm == "", repr(realm))
        self.trusted = False
        self.assertFalse(self.login.trusts(bearer(), HOME))
        self.assertTrue(self.login.trusts(BASIC, HOME))

    def test_renewed(self) -> None:
        """Tokens go with the credentials that they were made of, and only then."""
        self.assertTrue(self.login.renew("h:1"))
        self.assertEqual(self.tokens.forgotten, 1)
        self.store.may_differ = False
        self.assertFalse(self.login.renew("h:1"))
        self.assertEqual(self.tokens.forgotten, 1)


class DowngradeTests(SynchronousTestCase):
    """Token services that are asked without credentials."""

    def test_schemes(self) -> None:
        """A registry on https does not lead to http."""
        for registry, realm, expected in (
            ("https://h", "https://a/t", True),
            ("https://h", "http://a/t", False),
            ("http://h", "http://a/t", True),
            ("http://h", "https://a/t", True),
            ("http://h", "ftp://a", False),
            ("http://h", "", False),
        ):
            found = is_no_downgrade(Origin.of(registry), realm)
            self.assertEqual(found, expected, (registry, realm))
