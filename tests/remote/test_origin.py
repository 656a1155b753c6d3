"""Who may be told the credentials of an upstream."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.auth import scope_of
from txregistry.remote.origin import Origin, is_trusted_realm
from txregistry.spec.digest import Digest


class RealmTests(SynchronousTestCase):
    """Who may be told credentials."""

    def test_trust(self) -> None:
        """Same host, same site, or listed; never downgraded."""
        hub = "https://registry-1.docker.io"
        for upstream, realm, trusted, expected in (
            (hub, "https://auth.docker.io/token", (), True),
            (hub, "http://auth.docker.io/token", (), False),
            (hub, "https://auth.docker.io.evil.com/token", (), False),
            (hub, "https://docker.io.evil/token", (), False),
            (hub, "https://evil.com/token", (), False),
            (hub, "https://evil.com/token", ("evil.com",), True),
            (hub, "http://evil.com/token", ("evil.com",), False),
            (hub, "https://evil.com:8443/token", ("evil.com",), False),
            (hub, "https://evil.com:8443/token", ("evil.com:8443",), True),
            (hub, "https://evil.com/token", ("evil.com:8443",), False),
            (hub, "http://evil.com/token", ("http://evil.com/token",), True),
            (hub, "https://evil.com/token", ("evil.com:99999",), False),
            (hub, "https://evil.com/token", ("https://evil.com/token",), True),
            (hub, "https://evil.com/tokens", ("https://evil.com/token",), False),
            ("https://a.co.uk", "https://b.co.uk/t", (), False),
            ("https://r.a.co.uk", "https://t.a.co.uk/t", (), True),
            ("https://a.github.io", "https://b.github.io/t", (), False),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000/t", (), True),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/t", (), False),
            ("http://localhost:5000", "http://localhost:5001/t", (), False),
            ("http://10.0.0.1", "http://10.0.0.2/t", (), False),
            (hub, "ftp://auth.docker.io/token", (), False),
            (hub, "not a url", (), False),
        ):
            found = is_trusted_realm(upstream, realm, trusted)
            self.assertEqual((realm, trusted, found), (realm, trusted, expected))

    def test_authority(self) -> None:
        """A default port is not named; an IPv6 address is bracketed."""
        self.assertEqual(Origin.of("https://A.example:443/x").authority, "a.example")
        self.assertEqual(Origin.of("http://[::1]:5000").authority, "[::1]:5000")

    def test_scopes(self) -> None:
        """The scope is built from the path."""
        digest = Digest.of(b"")
        for path, scope in (
            (f"/v2/a/b/blobs/{digest}", "repository:a/b:pull"),
            ("/v2/a/manifests/manifests/v1", "repository:a/manifests:pull"),
            ("/v2/a/tags/list?n=1", "repository:a:pull"),
            ("/v2/_catalog?n=1", "registry:catalog:*"),
            ("/v2/", ""),
        ):
            self.assertEqual(scope_of(path), scope)
