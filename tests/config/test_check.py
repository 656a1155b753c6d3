"""Values that fit no configuration."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.test_config import ReadCase
from tests.config.test_read import problems


class CheckTests(ReadCase):
    """Sections that cannot be used."""

    def test_redis_that_cannot_be_asked(self) -> None:
        """None, several, half a certificate or no address are refused as they are."""
        storage = {"inmemory": None, "cache": {"blobdescriptor": "redis"}}
        one = {"addrs": ["h:6379"]}
        for redis, word in (
            ({}, "redis.addrs: is missing"),
            ({"addrs": ["h"]}, "redis.addrs[0]: expected host:port"),
            ({"addrs": ["h:1", "h:2"]}, "cluster"),
            ({"addrs": ["h:1", "x"], "mastername": "m"}, "redis.addrs[1]"),
            ({"mastername": "m"}, "redis.addrs: is missing"),
            ({**one, "tls": {"key": "/k"}}, "redis.tls: certificate and key"),
        ):
            (problem,) = self.problems(storage=storage, redis=redis)
            self.assertIn(word, problem)

    def test_token_algorithms(self) -> None:
        """Each algorithm that is not known is refused by its name, none among them."""
        token: dict[str, object] = {"realm": "r", "service": "s", "issuer": "i"}
        token["rootcertbundle"] = "/x"
        token["signingalgorithms"] = ["ES256", "none", "XX1"]
        found = self.problems(auth={"token": token})
        self.assertEqual(
            found,
            [
                "auth.token.signingalgorithms: 'none' is no algorithm",
                "auth.token.signingalgorithms: 'XX1' is no algorithm",
            ],
        )

    def test_token_with_nobody_to_trust(self) -> None:
        """A token controller trusts a bundle of certificates or a set of keys."""
        token = {"realm": "r", "service": "s", "issuer": "i"}
        found = self.problems(auth={"token": token})
        self.assertEqual(found, ["auth.token: rootcertbundle or jwks is missing"])
        for name in ("rootcertbundle", "jwks"):
            self.assertEqual(self.warnings(auth={"token": {**token, name: "/x"}}), [])


class UrlTests(SynchronousTestCase):
    """URLs of other services."""

    def endpoint(self, url: str, more: str = "") -> list[str]:
        return problems(
            f"notifications: {{endpoints: [{{name: a, url: '{url}'{more}}}]}}"
        )

    def test_what_can_be_one(self) -> None:
        """Names, addresses, ports, credentials, queries, and letters of any script."""
        for url in (
            "http://a",
            "HTTPS://a.example:8443/x/y?z=1&b=%20#c",
            "http://user:p%40ss@a/",
            "http://user@[2001:db8::1]:80/",
            "http://under_score/",
            "http://bücher.example/straße",
        ):
            self.assertEqual(self.endpoint(url), [], url)

    def test_what_cannot(self) -> None:
        """What cannot be a URL of a server is refused by its key, and never shown."""
        for url in (
            "",
            "a.example/x",
            "ftp://a/",
            "http:/a/",
            "http://",
            "http:///x",
            "http://:80/",
            "http://user:hush@",
            "http://a:port/",
            "http://a:0/",
            "http://a:99999/",
            "http://a:-1/",
            "http://[::1/",
            "http://[nonsense]/",
            "http://a b/",
            "http://a/x y",
            "http://a\\n/",
            "http://a%zz/",
            "http://us er:hush@a/",
            "http://user:hu/sh@a/",
        ):
            expected = "notifications.endpoints[0].url: expected an http or https URL"
            text = f'notifications: {{endpoints: [{{name: a, url: "{url}"}}]}}'
            self.assertEqual(problems(text), [expected], url)

    def test_health(self) -> None:
        """What is asked for health is a URL too."""
        (found,) = problems("health: {http: [{uri: 'http://a:hush@b:port'}]}")
        self.assertEqual(found, "health.http[0].uri: expected an http or https URL")

    def test_disabled(self) -> None:
        """Of an endpoint that is disabled nothing is asked."""
        self.assertEqual(self.endpoint("nowhere", ", disabled: true"), [])

    def test_addresses(self) -> None:
        """A URL is no address to connect to, and is not shown in full."""
        cache = "version: 0.1\nstorage: {inmemory: , cache: {blobdescriptor: redis}}\n"
        for address in (
            "redis://user:hush@a:6379",
            "a/b:1",
            "a:b:1",
            "[::1:1",
            "a:99999",
        ):
            (found,) = problems(f"redis: {{addr: '{address}'}}", cache)
            self.assertTrue(found.startswith("redis.addrs[0]: expected host:port"))
            self.assertNotIn("hush", found)
        for address in ("a:1", ":1", "[::1]:1", "10.0.0.1:65535"):
            self.assertEqual(problems(f"redis: {{addr: '{address}'}}", cache), [])
