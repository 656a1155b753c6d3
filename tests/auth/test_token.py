"""``auth.token``: tokens that a server signed, and whom that server's keys are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.auth import keys
from tests.auth.keys import b64, ec_key, identity, jwk, key_usage, rsa_key, sign
from txregistry.auth import token as tokens
from txregistry.auth.key_files import keys_of_set, libtrust_id
from txregistry.auth.maker import make_controller
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.access import Access, Grant, IAccessController, RequestFacts
from txregistry.spec.errors import Unauthorized

NOW = 1_700_000_000
REALM = "https://auth.example/token"

PULL = Access("repository", "a/b", "pull")
PUSH = Access("repository", "a/b", "push")

#: RFC 8037, appendix A.1, A.2 and A.3.
RFC8037_SECRET = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC8037_PUBLIC = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def granted(*access: Access) -> list[dict[str, Any]]:
    """Write accesses as a token server does."""
    return [
        {"type": item.kind, "name": item.name, "actions": [item.action]}
        for item in access
    ]


class TokenCase(SynchronousTestCase):
    """A root certificate with an RSA key, which signs tokens itself."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.clock = Clock()
        self.clock.advance(NOW)
        self.root = identity("root", rsa_key(), None, True)
        self.trust(self.root.pem)

    def trust(self, bundle: bytes, **parameters: Any) -> None:
        """Make a controller that trusts a bundle."""
        path = self.directory / "bundle.pem"
        path.write_bytes(bundle)
        self.make(rootcertbundle=str(path), **parameters)

    def trust_keys(self, *listed: dict[str, str], **parameters: Any) -> None:
        """Make a controller that trusts a key set and nothing else."""
        self.key_set = self.directory / "keys.json"
        self.key_set.write_text(json.dumps({"keys": listed}))
        self.make(jwks=str(self.key_set), **parameters)

    def make(self, **parameters: Any) -> None:
        given = {"realm": REALM, "service": "registry", "issuer": "issuer"}
        self.access: IAccessController = make_controller(
            "token", {**given, **parameters}, InlineDisk(), self.clock
        )

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = self.clock.seconds()
        given = {
            "iss": "issuer",
            "aud": "registry",
            "sub": "ann",
            "exp": now + 300,
            "nbf": now - 5,
            "access": granted(PULL),
        }
        return {k: v for k, v in {**given, **changes}.items() if v is not ...}

    def token(self, key: Any = None, header: Any = None, **claims: Any) -> str:
        """Sign a token by the root unless told otherwise."""
        if header is None:
            header = {"kid": keys.libtrust(key or rsa_key())}
        return sign(key or rsa_key(), self.claims(**claims), **header)

    def ask(self, token: str | None, *wanted: Access, **facts: str) -> Any:
        """Give a grant, or the refusal."""
        given = "" if token is None else f"Bearer {token}"
        asked = self.access.authorize(
            facts=RequestFacts(authorization=given, **facts), wanted=list(wanted)
        )
        outcome: list[Any] = []
        asked.addBoth(outcome.append)
        (found,) = outcome
        if not isinstance(found, Grant):
            self.assertEqual(found.type, Unauthorized, found)
            return found.value
        return found

    def assertPasses(self, token: str, *wanted: Access) -> Grant:
        found = self.ask(token, *(wanted or (PULL,)))
        self.assertIsInstance(found, Grant, getattr(found, "headers", found))
        return found

    def assertInvalid(self, token: str, *wanted: Access, note: str = "") -> None:
        found = self.ask(token, *(wanted or (PULL,)))
        self.assertIsInstance(found, Unauthorized, note)
        self.assertIn('error="invalid_token"', found.headers["WWW-Authenticate"], note)


class ChallengeTests(TokenCase):
    """How a client is told where to go."""

    def challenge(self, token: str | None, *wanted: Access, **facts: str) -> str:
        found = self.ask(token, *wanted, **facts)
        self.assertEqual(found.status, 401)
        return found.headers["WWW-Authenticate"]

    def test_no_token(self) -> None:
        """Realm comes first, then service and scope, all quoted; no error yet."""
        self.assertEqual(
            self.challenge(None, PULL),
            f'Bearer realm="{REALM}",service="registry",scope="repository:a/b:pull"',
        )

    def test_base(self) -> None:
        """Where nothing in particular is wanted there is no scope, but a service."""
        self.assertEqual(
            self.challenge(None), f'Bearer realm="{REALM}",service="registry"'
        )

    def test_actions_share_a_scope(self) -> None:
        """All actions on one repository are one scope; another repository follows."""
        other = Access("repository", "c/d", "pull")
        self.assertIn(
            'scope="repository:a/b:pull,push repository:c/d:pull"',
            self.challenge(None, PULL, PUSH, other, PULL),
        )

    def test_catalogue(self) -> None:
        """The catalogue has a scope of its own."""
        wanted = Access("registry", "catalog", "*")
        self.assertIn('scope="registry:catalog:*"', self.challenge(None, wanted))

    def test_invalid_token(self) -> None:
        """A token that is not genuine is said to be invalid (RFC 6750, 3.1)."""
        self.assertEqual(
            self.challenge("nonsense", PULL),
            f'Bearer realm="{REALM}",service="registry",'
            'scope="repository:a/b:pull",error="invalid_token"',
        )

    def test_insufficient_scope(self) -> None:
        """A genuine token that allows too little is said to (RFC 6750, 3.1)."""
        self.assertEqual(
            self.challenge(self.token(), PULL, PUSH),
            f'Bearer realm="{REALM}",service="registry",'
            'scope="repository:a/b:pull,push",error="insufficient_scope"',
        )

    def test_other_scheme(self) -> None:
        """Credentials of another scheme are no token: the challenge has no error."""
        for header in ("Basic YTpi", "Bearer", "Bearer ", "Token x"):
            facts = RequestFacts(authorization=header)
            asked = self.access.authorize(facts=facts, wanted=[PULL])
            error = self.failureResultOf(asked, Unauthorized).value
            self.assertNotIn("error=", error.headers["WWW-Authenticate"], header)

    def test_quotes(self) -> None:
        """What holds quotes or backslashes is escaped (RFC 9110, 5.6.4)."""
        self.trust(self.root.pem, service='a "b" \\ c')
        self.assertIn(r'service="a \"b\" \\ c"', self.challenge(None, PULL))

    def test_detail(self) -> None:
        """The error says what was wanted, and nothing of why a token is invalid."""
        found = self.ask("nonsense", PULL)
        self.assertEqual(
            found.detail,
            [{"Type": "repository", "Class": "", "Name": "a/b", "Action": "pull"}],
        )

    def test_autoredirect(self) -> None:
        """The realm is where this very request went, by https unless a proxy says."""
        self.trust(self.root.pem, autoredirect=True)
        found = self.challenge(None, PULL, host="one.example:5000", scheme="http")
        self.assertIn('realm="https://one.example:5000/auth/token"', found)
        found = self.challenge(
            None, PULL, host="two.example", scheme="http", forwarded_scheme="http"
        )
        self.assertIn('realm="http://two.example/auth/token"', found)

    def test_autoredirect_path(self) -> None:
        """The path of the realm can be chosen, with or without its first slash."""
        for path in ("/x/y/", "x/y/"):
            self.trust(self.root.pem, autoredirect=True, autoredirectpath=path)
            found = self.challenge(None, host="one.example")
            self.assertIn('realm="https://one.example/x/y/"', found)

    def test_no_autoredirect(self) -> None:
        """Unless it is asked for, the host of a request says nothing."""
        found = self.challenge(None, host="evil.example", forwarded_scheme="http")
        self.assertIn(f'realm="{REALM}"', found)


class ClaimTests(TokenCase):
    """What a genuine token says."""

    def test_grant(self) -> None:
        """The subject is who asks; what else the token allows is known as well."""
        other = Access("repository", "c/d", "pull")
        found = self.assertPasses(self.token(access=granted(PULL, other)))
        self.assertEqual((found.user, found.everything), ("ann", False))
        self.assertEqual(found.access, {PULL, other})

    def test_nothing_wanted(self) -> None:
        """Any genuine token will do where nothing in particular is wanted."""
        found = self.ask(self.token(access=[]))
        self.assertEqual(found.user, "ann")

    def test_reason(self) -> None:
        """Why a token is refused is logged for who debugs it, and without the token."""
        token = self.token(iss="another")
        with capturedLogs() as events:
            self.assertIsInstance(self.ask(token), Unauthorized)
        (message,) = map(formatEvent, events)
        self.assertTrue(message.endswith("the token is from another issuer"), message)
        self.assertNotIn(token, message)

    def test_no_access(self) -> None:
        """A token without access allows nothing, which makes it no less genuine."""
        for access in ([], None, ...):
            found = self.ask(self.token(access=access), PULL)
            challenge = found.headers["WWW-Authenticate"]
            self.assertIn('error="insufficient_scope"', challenge)

    def test_anonymous(self) -> None:
        """A token may be nobody's in particular."""
        for subject in ("", ..., None):
            self.assertEqual(self.assertPasses(self.token(sub=subject)).user, "")

    def test_all_that_is_wanted(self) -> None:
        """Each thing that is wanted has to be allowed, by one entry or several."""
        entry = {"type": "repository", "name": "a/b", "actions": ["pull", "push"]}
        self.assertPasses(self.token(access=[entry]), PULL, PUSH)
        self.assertPasses(self.token(access=granted(PULL, PUSH)), PULL, PUSH)
        found = self.ask(self.token(access=granted(PUSH)), PULL, PUSH)
        self.assertIsInstance(found, Unauthorized)

    def test_other_name_or_kind(self) -> None:
        """Leave for another name, kind or a prefix of the name is no leave."""
        for kind, name in (
            ("repository", "a"),
            ("repository", "a/b/c"),
            ("repository", "A/B"),
            ("repository", "*"),
            ("registry", "a/b"),
        ):
            access = granted(Access(kind, name, "pull"))
            found = self.ask(self.token(access=access), PULL)
            self.assertIsInstance(found, Unauthorized, (kind, name))

    def test_star(self) -> None:
        """The action * stands for every action on that resource only."""
        token = self.token(access=granted(Access("repository", "a/b", "*")))
        delete = Access("repository", "a/b", "delete")
        self.assertPasses(token, PULL, PUSH, delete)
        other = Access("repository", "a/c", "pull")
        self.assertIsInstance(self.ask(token, other), Unauthorized)

    def test_catalogue_needs_the_star(self) -> None:
        """Where * is wanted, no single action will do."""
        wanted = Access("registry", "catalog", "*")
        self.assertPasses(self.token(access=granted(wanted)), wanted)
        less = granted(Access("registry", "catalog", "pull"))
        self.assertIsInstance(self.ask(self.token(access=less), wanted), Unauthorized)

    def test_class_is_passed_over(self) -> None:
        """Other fields of an entry, such as a class, change nothing."""
        entry = {**granted(PULL)[0], "class": "image"}
        self.assertPasses(self.token(access=[entry]))

    def test_audience(self) -> None:
        """The service is the audience, or one of several (RFC 7519, 4.1.3)."""
        for audience in ("registry", ["registry"], ["other", "registry"]):
            self.assertPasses(self.token(aud=audience))

    def test_other_audience(self) -> None:
        """A token for somebody else, or for nobody, is not for us."""
        for audience in (
            "other",
            "",
            "registry2",
            "regist",
            ["other"],
            [],
            [""],
            [["registry"]],
            None,
            ...,
            7,
            {"registry": 1},
            True,
        ):
            self.assertInvalid(self.token(aud=audience), note=repr(audience))

    def test_other_issuer(self) -> None:
        """A token of another issuer is not believed."""
        for issuer in ("other", "", None, ..., ["issuer"], 1):
            self.assertInvalid(self.token(iss=issuer), note=repr(issuer))

    def test_malformed_access(self) -> None:
        """Access of another shape makes a token invalid."""
        for access in (
            7,
            ["x"],
            [{}],
            [{"type": "repository", "name": "a/b"}],
            [{"type": "repository", "name": "a/b", "actions": 7}],
        ):
            self.assertInvalid(self.token(access=access), note=repr(access))


class TimeTests(TokenCase):
    """When a token holds: sixty seconds are forgiven, not more."""

    def test_not_before(self) -> None:
        """A token from 5 or 59 seconds ahead of our clock holds, one from 61 not."""
        for ahead, holds in ((5, True), (59, True), (61, False)):
            token = self.token(nbf=NOW + ahead)
            check = self.assertPasses if holds else self.assertInvalid
            check(token)

    def test_expiry(self) -> None:
        """A token that ended 5 or 59 seconds ago holds, one from 61 ago not."""
        for ago, holds in ((5, True), (59, True), (61, False)):
            token = self.token(exp=NOW - ago)
            check = self.assertPasses if holds else self.assertInvalid
            check(token)

    def test_remembered_token_expires(self) -> None:
        """A token that was good is looked at again by the clock."""
        token = self.token(exp=NOW + 100)
        self.assertPasses(token)
        self.clock.advance(159)
        self.assertPasses(token)
        self.clock.advance(2)
        self.assertInvalid(token)

    def test_long_tokens_are_remembered_in_bytes(self) -> None:
        """Tokens that grant much are remembered as far as there is room."""
        self.patch(tokens, "MAX_BYTES", 200_000)
        self.trust(self.root.pem)
        memory = self.access._verified
        for number in range(20):
            actions = [f"{number}-{action}" for action in range(100)]
            listed = {"type": "repository", "name": "a/b", "actions": actions}
            self.assertPasses(self.token(access=[*granted(PULL), listed]))
        self.assertGreater(len(memory), 2)
        self.assertLessEqual(memory.used_bytes, 200_000)
        self.assertGreater(memory.used_bytes, len(memory) * 100 * 200)

    def test_early_token_becomes_good(self) -> None:
        """A token that came too early holds when its time has come."""
        token = self.token(nbf=NOW + 100, exp=NOW + 500)
        self.assertInvalid(token)
        self.clock.advance(60)
        self.assertPasses(token)

    def test_no_not_before(self) -> None:
        """A token need not say from when it holds."""
        self.assertPasses(self.token(nbf=...))

    def test_fractions(self) -> None:
        """Times may have fractions (RFC 7519, 2, NumericDate)."""
        self.assertPasses(self.token(exp=NOW + 10.5, nbf=NOW - 0.5))

    def test_no_expiry(self) -> None:
        """A token that never ends, or says so oddly, is not believed."""
        for moment in (..., None, "", "tomorrow", str(NOW + 10), True, [NOW + 10]):
            self.assertInvalid(self.token(exp=moment), note=repr(moment))

    def test_endless_expiry(self) -> None:
        """A time that is no number, or beyond all numbers, is no time."""
        for moment in (float("inf"), float("nan"), 10**400):
            self.assertInvalid(self.token(exp=moment), note=repr(moment)[:20])


class ChainTests(TokenCase):
    """Certificates that a token brings along (``x5c``)."""

    def test_depths(self) -> None:
        """A chain of 0 to 3 steps leads to the root."""
        for depth in range(4):
            root, leaf = keys.chain_of(depth)
            self.trust(root.pem)
            header = {"x5c": keys.x5c(leaf.chain())}
            self.assertPasses(self.token(leaf.key, header))

    def test_root_included(self) -> None:
        """A server may send the root as well."""
        root, leaf = keys.chain_of(2)
        self.trust(root.pem)
        header = {"x5c": keys.x5c([*leaf.chain(), root])}
        self.assertPasses(self.token(leaf.key, header))

    def test_missing_link(self) -> None:
        """A chain with a certificate left out leads nowhere."""
        root, leaf = keys.chain_of(3)
        self.trust(root.pem)
        whole = leaf.chain()
        for left_out in (1, 2):
            kept = [link for at, link in enumerate(whole) if at != left_out]
            self.assertInvalid(self.token(leaf.key, {"x5c": keys.x5c(kept)}))

    def test_another_root(self) -> None:
        """A chain to a root of the same name and another key is not believed."""
        _, leaf = keys.chain_of(2)
        self.trust(identity("root", ec_key(50), None, True).pem)
        self.assertInvalid(self.token(leaf.key, {"x5c": keys.x5c(leaf.chain())}))

    def test_root_alone_vouches(self) -> None:
        """Naming a trusted certificate proves nothing without its key."""
        root, leaf = keys.chain_of(1)
        self.trust(root.pem)
        for chain in ([leaf], [root]):
            self.assertInvalid(self.token(ec_key(51), {"x5c": keys.x5c(chain)}))

    def test_leaf_may_not_issue(self) -> None:
        """A certificate that is no authority cannot vouch for another."""
        root, leaf = keys.chain_of(1)
        self.trust(root.pem)
        forged = identity("forged", ec_key(52), leaf)
        header = {"x5c": keys.x5c([forged, leaf])}
        self.assertInvalid(self.token(forged.key, header))

    def test_authority_within_its_limits(self) -> None:
        """How far an authority reaches, and what its key is for, is respected."""
        for length, signs, passes in (
            (1, True, True),
            (None, True, True),
            (0, True, False),
            (None, False, False),
        ):
            usage = key_usage(signs)
            root = identity("root", ec_key(70), None, True, (), path_length=length)
            middle = identity("middle", ec_key(71), root, True, usage=usage)
            leaf = identity("leaf", ec_key(72), middle)
            self.trust(root.pem)
            token = self.token(leaf.key, {"x5c": keys.x5c(leaf.chain())})
            (self.assertPasses if passes else self.assertInvalid)(token)

    def test_expired_leaf(self) -> None:
        """A certificate that has ended, or has not begun, vouches for nothing."""
        early, late = datetime(2021, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
        for times in ({"end": early}, {"begin": late}):
            root, leaf = keys.chain_of(2, **times)
            self.trust(root.pem)
            header = {"x5c": keys.x5c(leaf.chain())}
            self.assertInvalid(self.token(leaf.key, header))

    def test_expired_link(self) -> None:
        """Each link of the chain has to be valid."""
        root = identity("root", ec_key(60), None, True)
        early = datetime(2021, 1, 1, tzinfo=UTC)
        middle = identity("middle", ec_key(61), root, True, end=early)
        leaf = identity("leaf", ec_key(62), middle)
        self.trust(root.pem)
        header = {"x5c": keys.x5c(leaf.chain())}
        self.assertInvalid(self.token(leaf.key, header))

    def test_trusted_leaf(self) -> None:
        """A certificate of the bundle is trusted for itself, authority or not."""
        alone = identity("alone", ec_key(63))
        self.trust(alone.pem)
        self.assertPasses(self.token(alone.key, {"x5c": keys.x5c([alone])}))

    def test_malformed(self) -> None:
        """A chain of another shape makes a token invalid."""
        good = keys.x5c([self.root])
        long = good * 40
        for chain in ([], "", None, good[0], ["!!"], ["AAAA"], [7], {}, long, [good]):
            self.assertInvalid(self.token(header={"x5c": chain}), note=repr(chain)[:40])

    def test_embedded_key_with_chain(self) -> None:
        """A key may come with the chain that vouches for it."""
        root, leaf = keys.chain_of(2)
        self.trust(root.pem)
        given = {**jwk(leaf.key), "x5c": keys.x5c(leaf.chain())}
        self.assertPasses(self.token(leaf.key, {"jwk": given}))

    def test_embedded_key_with_foreign_chain(self) -> None:
        """A chain that vouches for another key vouches for nothing here."""
        root, leaf = keys.chain_of(2)
        self.trust(root.pem)
        forger = ec_key(53)
        given = {**jwk(forger), "x5c": keys.x5c(leaf.chain())}
        self.assertInvalid(self.token(forger, {"jwk": given}))


class KeyTests(TokenCase):
    """Which key signed, and whether it is one of ours."""

    def test_libtrust_id(self) -> None:
        """A key of the bundle is known by libtrust's id."""
        self.assertEqual(libtrust_id(self.root.certificate), keys.libtrust(rsa_key()))
        name = keys.libtrust(rsa_key())
        self.assertRegex(name, r"^([A-Z2-7]{4}:){11}[A-Z2-7]{4}$")
        self.assertPasses(self.token(header={"kid": name}))

    def test_thumbprint(self) -> None:
        """A key of the bundle is known by its RFC 7638 thumbprint as well."""
        name = keys.thumbprint(jwk(rsa_key()))
        self.assertPasses(self.token(header={"kid": name}))

    def test_kid_of_a_key_set(self) -> None:
        """A key of a key set is known by the name it has there, and by thumbprint."""
        self.trust_keys({**jwk(ec_key()), "kid": "key one"}, jwk(ec_key(1)))
        self.assertPasses(self.token(ec_key(), {"kid": "key one"}))
        for key in (ec_key(), ec_key(1)):
            name = keys.thumbprint(jwk(key))
            self.assertPasses(self.token(key, {"kid": name}))

    def test_bundle_and_key_set(self) -> None:
        """Both together are trusted."""
        self.trust_keys({**jwk(ec_key()), "kid": "x"})
        bundle = str(self.directory / "bundle.pem")
        self.make(rootcertbundle=bundle, jwks=str(self.key_set))
        self.assertPasses(self.token())
        self.assertPasses(self.token(ec_key(), {"kid": "x"}))

    def test_rfc8037_vector(self) -> None:
        """The Ed25519 key of RFC 8037 has the thumbprint that is printed there."""
        secret = keys.base64.urlsafe_b64decode(RFC8037_SECRET + "=")
        key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        fields = {"kty": "OKP", "crv": "Ed25519", "x": RFC8037_PUBLIC}
        self.assertEqual(jwk(key), fields)
        found = keys_of_set(json.dumps({"keys": [fields]}).encode())
        self.assertEqual(list(found.by_thumbprint), [RFC8037_THUMBPRINT])
        self.trust_keys(fields)
        self.assertPasses(self.token(key, {"kid": RFC8037_THUMBPRINT}))

    def test_ed25519_certificate(self) -> None:
        """A certificate may have an Ed25519 key."""
        secret = keys.base64.urlsafe_b64decode(RFC8037_SECRET + "=")
        key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        self.trust(identity("root", key, None, True).pem)
        self.assertPasses(self.token(key, {"kid": RFC8037_THUMBPRINT}))
        self.assertPasses(self.token(key))

    def test_bundle_with_other_blocks(self) -> None:
        """Blocks of a bundle that are no certificates are passed over."""
        other = identity("other", ec_key(), None, True)
        bundle = b"# text\n" + self.root.key_pem + self.root.pem + b"\n\nmore\n"
        bundle += keys.public_pem(rsa_key()) + other.pem.rstrip()
        self.trust(bundle)
        self.assertPasses(self.token())
        self.assertPasses(self.token(ec_key()))

    def test_unknown_key(self) -> None:
        """A key that nobody told us of is not believed, named or not."""
        for header in ({}, {"kid": ""}, {"kid": "x"}, {"kid": None}, {"kid": {}}):
            self.assertInvalid(self.token(header=header), note=repr(header))
        self.assertInvalid(self.token(ec_key(9)))

    def test_wrong_key_of_known_name(self) -> None:
        """A name of ours on somebody else's signature is not believed."""
        header = {"kid": keys.libtrust(rsa_key())}
        self.assertInvalid(self.token(rsa_key(1), header))

    def test_embedded_key_that_is_trusted(self) -> None:
        """A key that comes along without a chain is believed if it is ours."""
        self.assertPasses(self.token(header={"jwk": jwk(rsa_key())}))

    def test_embedded_key_with_a_trusted_name(self) -> None:
        """A stranger's key under the name of ours is rejected (CVE-2025-24976)."""
        for name in (keys.libtrust(rsa_key()), keys.thumbprint(jwk(rsa_key()))):
            forged = {**jwk(ec_key(9)), "kid": name}
            for header in ({"jwk": forged}, {"jwk": forged, "kid": name}):
                self.assertInvalid(self.token(ec_key(9), header))

    def test_embedded_key_does_not_lend_its_trust(self) -> None:
        """A trusted key beside a signature of another key proves nothing."""
        header = {"jwk": jwk(rsa_key()), "kid": keys.libtrust(rsa_key())}
        self.assertInvalid(self.token(rsa_key(1), header))

    def test_malformed_embedded_keys(self) -> None:
        """A key of another shape makes a token invalid."""
        point = {**jwk(ec_key()), "y": jwk(ec_key(1))["y"]}
        for fields in (
            None,
            "x",
            [],
            {},
            {"kty": "x"},
            {"kty": ["RSA"]},
            {"kty": "RSA"},
            {"kty": "RSA", "n": "", "e": ""},
            {"kty": "RSA", "n": 7, "e": 7},
            {"kty": "RSA", "n": "AA", "e": "AQAB"},
            {"kty": "EC", "crv": "P-000", "x": "AA", "y": "AA"},
            point,
            {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
            {"kty": "oct", "k": "!"},
        ):
            self.assertInvalid(self.token(header={"jwk": fields}), note=repr(fields))

    def test_embedded_secret(self) -> None:
        """A secret that a token brings along proves nothing."""
        fields = {"kty": "oct", "k": b64(b"secret" * 8)}
        self.assertInvalid(self.token(b"secret" * 8, {"jwk": fields}))

    def test_key_set_that_changes(self) -> None:
        """A key set is read again when it changes."""
        self.trust_keys({**jwk(ec_key()), "kid": "one"})
        self.assertInvalid(self.token(ec_key(1), {"kid": "two"}))
        listed = [{**jwk(ec_key()), "kid": "one"}, {**jwk(ec_key(1)), "kid": "two"}]
        self.key_set.write_text(json.dumps({"keys": listed}))
        self.assertPasses(self.token(ec_key(1), {"kid": "two"}))

    def test_withdrawn_key(self) -> None:
        """A key that was taken away opens nothing, not even with a known token."""
        self.trust_keys({**jwk(ec_key()), "kid": "one"})
        token = self.token(ec_key(), {"kid": "one"})
        self.assertPasses(token)
        listed = [{**jwk(ec_key(1)), "kid": "another one"}]
        self.key_set.write_text(json.dumps({"keys": listed}))
        self.assertInvalid(self.token(ec_key(), {"kid": "one"}, sub="bob"))
        self.assertInvalid(token)

    def test_key_set_that_vanishes(self) -> None:
        """Keys that cannot be read are our trouble: never a pass, and no 500."""
        self.trust_keys({**jwk(ec_key()), "kid": "one"})
        self.key_set.unlink()
        facts = RequestFacts(
            authorization="Bearer " + self.token(ec_key(), {"kid": "one"})
        )
        asked = self.access.authorize(facts=facts, wanted=[PULL])
        error = self.failureResultOf(asked).value
        self.assertEqual(getattr(error, "status", error), 503)


class AlgorithmTests(TokenCase):
    """How a token may be signed."""

    def test_none(self) -> None:
        """A token that is not signed at all is not believed."""
        name = keys.libtrust(rsa_key())
        for algorithm in ("none", "None", "NONE", "nOnE", ""):
            token = sign(None, self.claims(), alg=algorithm, kid=name)
            self.assertInvalid(token)
            signed = self.token().rpartition(".")[2]
            self.assertInvalid(token + signed)

    def test_public_key_as_secret(self) -> None:
        """HS256 with what everybody knows of an RSA key is not believed."""
        der = keys.spki(rsa_key())
        for secret in (keys.public_pem(rsa_key()), der, self.root.pem):
            for key_id in (keys.libtrust(rsa_key()), keys.thumbprint(jwk(rsa_key()))):
                self.assertInvalid(self.token(secret, {"kid": key_id, "alg": "HS256"}))
            chain = {"x5c": keys.x5c([self.root]), "alg": "HS256"}
            self.assertInvalid(self.token(secret, chain))
            embedded = {"jwk": jwk(rsa_key()), "alg": "HS256"}
            self.assertInvalid(self.token(secret, embedded))

    def test_kinds(self) -> None:
        """RSA keys sign by RS and PS, elliptic ones by ES, of the right length."""
        name = keys.libtrust(rsa_key())
        for algorithm in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
            self.assertPasses(self.token(header={"alg": algorithm, "kid": name}))
        self.trust_keys({**jwk(ec_key()), "kid": "x"})
        self.assertPasses(self.token(ec_key(), {"kid": "x"}))

    def test_shared_secret(self) -> None:
        """A secret of the key set signs by HS256."""
        secret = b"0123456789abcdef" * 4
        self.trust_keys({"kty": "oct", "k": b64(secret), "kid": "s"})
        self.assertPasses(self.token(secret, {"kid": "s"}))
        self.assertInvalid(self.token(b"another" * 8, {"kid": "s"}))

    def test_not_listed(self) -> None:
        """An algorithm that the configuration does not list is refused."""
        name = keys.libtrust(rsa_key())
        self.trust(self.root.pem, signingalgorithms=["RS512", "ES256"])
        self.assertInvalid(self.token(header={"kid": name}))
        self.assertPasses(self.token(header={"kid": name, "alg": "RS512"}))

    def test_mismatched_label(self) -> None:
        """A signature of one kind under the label of another is not believed."""
        name = keys.libtrust(rsa_key())
        token = self.token(header={"kid": name})
        _, body, signature = token.split(".")
        for label in ("PS256", "RS512", "ES256", "EdDSA", "HS256", "XX", 7, None):
            head = b64(json.dumps({"alg": label, "kid": name}).encode())
            self.assertInvalid(f"{head}.{body}.{signature}", note=repr(label))


class MalformedTests(TokenCase):
    """Whatever comes, it is a refusal and never a failure of ours."""

    def test_changed_bytes(self) -> None:
        """A token with anything changed is not believed."""
        head, body, signature = self.token().split(".")
        claims = b64(json.dumps(self.claims(sub="root")).encode())
        for token in (
            f"{head}.{claims}.{signature}",
            f"{head}.{body}.{signature[:-4]}AAAA",
            f"{head}.{body}.",
            f"{head}.{body}",
            f"{head}..{signature}",
            f".{body}.{signature}",
            f"{head}.{body}.{signature}.{signature}",
            f"{head}.{body}.{signature}.{signature}.{signature}",
            "..",
            ".",
            "....",
        ):
            self.assertInvalid(token)

    def test_odd_heads(self) -> None:
        """A head that is no object, or asks for what we do not do, is not believed."""
        _, body, signature = self.token().split(".")
        for head in (
            b"7",
            b"[]",
            b"null",
            b'"x"',
            b"{",
            b"\xff\xfe",
            b"",
            b'{"alg":"RS256","crit":["exp"],"exp":1}',
            b'{"alg":"RS256","b64":false,"crit":["b64"]}',
            b'{"alg":["RS256"]}',
            b'{"alg":"RS256","kid":' + b"1" * 5000 + b"}",
            b'{"alg":"dir","enc":"A128GCM"}',
        ):
            self.assertInvalid(f"{b64(head)}.{body}.{signature}", note=repr(head[:30]))

    def test_odd_bodies(self) -> None:
        """Claims that are no object are not believed, though well signed."""
        head = {"alg": "RS256", "kid": keys.libtrust(rsa_key())}
        for body in (b"7", b"[]", b"null", b"{", b"\xff", b""):
            signed = f"{b64(json.dumps(head).encode())}.{b64(body)}".encode()
            signature = keys.signature(rsa_key(), "RS256", signed)
            self.assertInvalid(
                f"{signed.decode()}.{b64(signature)}", note=repr(body[:9])
            )

    def test_deep(self) -> None:
        """A head or body nested beyond reason is not believed, whoever sends it."""
        head, body, signature = self.token().split(".")
        for deep in (b"[" * 30_000, b'{"a":' * 8_000):
            self.assertInvalid(f"{b64(deep)}.{body}.{signature}")
            signed = f"{head}.{b64(deep)}".encode()
            by_us = keys.signature(rsa_key(), "RS256", signed)
            self.assertInvalid(f"{signed.decode()}.{b64(by_us)}")

    def test_long(self) -> None:
        """A token that is longer than any is refused without being read."""
        self.assertInvalid(self.token(sub="x" * 100_000))

    def test_rather_long(self) -> None:
        """A token of many entries is fine."""
        many = [Access("repository", f"team/project{n}", "pull") for n in range(200)]
        self.assertPasses(self.token(access=granted(PULL, *many)))

    def test_unicode(self) -> None:
        """Characters that no token has are not believed."""
        for token in ("é.é.é", "\N{SNOWMAN}", "a b c", "\x00"):
            self.assertInvalid(token)
