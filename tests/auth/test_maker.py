"""Access controllers are found by the name of their entry point."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.auth.keys import ec_key, identity, jwk
from txregistry.auth.htpasswd import HtpasswdAccess
from txregistry.auth.maker import make_controller
from txregistry.auth.open import OpenAccess
from txregistry.auth.silly import SillyAccess
from txregistry.auth.token import TokenAccess
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.access import Access, IAccessController, RequestFacts


class MakerTests(SynchronousTestCase):
    """From a name and parameters to a controller."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.bundle = self.directory / "bundle.pem"
        self.bundle.write_bytes(identity("root", ec_key(), None, True).pem)
        self.token = {
            "realm": "https://auth.example/token",
            "service": "registry",
            "issuer": "issuer",
            "rootcertbundle": str(self.bundle),
        }

    def make(self, name: str, **parameters: Any) -> IAccessController:
        return make_controller(name, parameters, InlineDisk(), Clock())

    def test_none(self) -> None:
        """Without a name everybody may do everything."""
        access = self.make("")
        self.assertIsInstance(access, OpenAccess)
        verifyObject(IAccessController, access)
        wanted = [Access("registry", "catalog", "*")]
        done = access.authorize(facts=RequestFacts(), wanted=wanted)
        self.assertTrue(self.successResultOf(done).everything)

    def test_by_name(self) -> None:
        """Each of distribution's controllers is offered under its name."""
        silly = self.make("silly", realm="r", service="s")
        path = str(self.directory / "htpasswd")
        htpasswd = self.make("htpasswd", realm="r", path=path)
        token = self.make("token", **self.token)
        for access, kind in (
            (silly, SillyAccess),
            (htpasswd, HtpasswdAccess),
            (token, TokenAccess),
        ):
            self.assertIsInstance(access, kind)
            verifyObject(IAccessController, access)

    def test_unknown_name(self) -> None:
        """A name that nothing offers is refused, and those there are are named."""
        error = self.assertRaises(ValueError, self.make, "ldap")
        for word in ("auth.ldap", "htpasswd", "silly", "token"):
            self.assertIn(word, str(error))

    def test_missing_bundle(self) -> None:
        """A bundle that is not there is told of at the start."""
        self.bundle.unlink()
        self.assertRaises(OSError, self.make, "token", **self.token)

    def test_empty_bundle(self) -> None:
        """A bundle without a certificate is told of at the start, by its path."""
        self.bundle.write_bytes(b"-----BEGIN NOTHING-----\n")
        error = self.assertRaises(ValueError, self.make, "token", **self.token)
        self.assertIn(str(self.bundle), str(error))

    def test_unusable_key_set(self) -> None:
        """A key set that is none is told of at the start, by its path."""
        path = self.directory / "keys.json"
        del self.token["rootcertbundle"]
        unusable = (b"{", b"[]", b"7", b'{"keys": [{"kty": "x"}]}', b'{"keys": {}}')
        for content in unusable:
            path.write_bytes(content)
            given = {**self.token, "jwks": str(path)}
            error = self.assertRaises(ValueError, self.make, "token", **given)
            self.assertIn(str(path), str(error))

    def test_key_set_alone(self) -> None:
        """A key set is enough."""
        path = self.directory / "keys.json"
        path.write_text(json.dumps({"keys": [jwk(ec_key())]}))
        del self.token["rootcertbundle"]
        self.make("token", **self.token, jwks=str(path))

    def test_default_autoredirect_path(self) -> None:
        """Clients are sent to /auth/token unless the configuration says where."""
        access = self.make("token", **self.token, autoredirect=True)
        facts = RequestFacts(host="registry.example")
        failed = access.authorize(facts=facts, wanted=[])
        error = self.failureResultOf(failed).value
        self.assertIn(
            'realm="https://registry.example/auth/token"',
            error.headers["WWW-Authenticate"],
        )
