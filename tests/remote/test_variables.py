"""How the environment says to connect."""

from __future__ import annotations

import base64

from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.variables import ProxyAddress, egress_proxies, proxy_bypass


class AddressTests(SynchronousTestCase):
    """What the environment says."""

    def test_proxies(self) -> None:
        """Upper and lower case, with and without a scheme, with credentials."""
        found = egress_proxies(
            {"HTTP_PROXY": "proxy:3128", "https_proxy": "http://u%40x:p@10.0.0.1"}
        )
        self.assertEqual(found["http"], ProxyAddress("proxy", 3128))
        coded = base64.b64encode(b"u@x:p").decode()
        self.assertEqual(found["https"], ProxyAddress("10.0.0.1", 80, f"Basic {coded}"))
        self.assertEqual(egress_proxies({}), {})
        for bad in ("https://proxy", "socks5://proxy", "http://", "http://x:0"):
            with self.assertRaises(ValueError):
                ProxyAddress.parse(bad)

    def test_unusable_proxy_is_named(self) -> None:
        """Whoever set the variable is told which one it was."""
        for name, value in (
            ("HTTPS_PROXY", "socks5://proxy:1080"),
            ("http_proxy", "https://proxy"),
        ):
            with self.assertRaises(ValueError) as caught:
                egress_proxies({name: value})
            self.assertTrue(str(caught.exception).startswith(f"{name}: "))

    def test_lower_case_where_the_other_is_empty(self) -> None:
        """An empty variable is none."""
        found = egress_proxies({"HTTP_PROXY": "", "http_proxy": "proxy:1"})
        self.assertEqual(found["http"], ProxyAddress("proxy", 1))
        found = egress_proxies({"HTTP_PROXY": "first:1", "http_proxy": "second:1"})
        self.assertEqual(found["http"].host, "first")
        bypass = proxy_bypass({"NO_PROXY": " ", "no_proxy": "docker.io"})
        self.assertTrue(bypass.covers("docker.io", 443))
