"""Problems of upstreams."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.read import ConfigurationError, read_config

BASE = {"version": "0.1", "storage": {"inmemory": {}}}
URL = "https://registry-1.docker.io"


class UpstreamTests(SynchronousTestCase):
    """Each problem has the path of its key."""

    def problems(self, **proxy: Any) -> list[str]:
        try:
            read_config({**BASE, "proxy": proxy})
        except ConfigurationError as error:
            return error.problems
        return []

    def test_reserve(self) -> None:
        """A percentage, also of an upstream that has it from proxy."""
        for reserve in ("0", "10%", "25", "2.5 %", "100%"):
            given = {"reserve": reserve}
            found = self.problems(remoteurl=URL, ratelimit=given, upstreams={"a": {}})
            self.assertEqual(found, [], reserve)
        for reserve in ("101%", "ten", "-1", "10%%"):
            (told,) = self.problems(remoteurl=URL, ratelimit={"reserve": reserve})
            self.assertIn("proxy.ratelimit.reserve: expected a percentage", told)

    def test_onerror(self) -> None:
        """Rules for errors that there are, as YAML reads their names."""
        self.assertEqual(self.problems(remoteurl=URL, onerror={401: "stale"}), [])
        told = self.problems(
            remoteurl=URL, upstreams={"quay.io": {"onerror": {"200": "stale"}}}
        )
        self.assertEqual(len(told), 1)
        self.assertIn("proxy.upstreams.quay.io.onerror.200: expected 401 or", told[0])

    def test_good(self) -> None:
        """The example of the page."""
        found = self.problems(
            remoteurl="https://registry-1.docker.io",
            upstreams={
                "ghcr.io": {},
                "quay.io": {"username": "u", "password": "p", "ttl": "720h"},
                "corp": {
                    "remoteurl": "https://registry.corp.example:5000/base",
                    "hosts": ["registry.corp.example:5000"],
                    "deny": ["secret/**"],
                },
            },
            local=["team/**"],
        )
        self.assertEqual(found, [])

    def test_each(self) -> None:
        """What cannot be meant."""
        path = "proxy.upstreams.a"
        for upstream, expected in (
            ({"remoteurl": "ftp://x"}, f"{path}.remoteurl: expected an http"),
            ({"remoteurl": "https://x/v2"}, f"{path}.remoteurl: leave out /v2"),
            ({"hosts": ["a b"]}, f"{path}.hosts[0]: expected a host"),
            ({"hosts": ["https://x"]}, f"{path}.hosts[0]: expected a host"),
            ({"allow": ["a?"]}, f"{path}.allow[0]: expected a name with"),
            ({"mirrors": ["x"]}, f"{path}.mirrors[0]: expected an http or https URL"),
            ({"deny": ["/a"]}, f"{path}.deny[0]: expected a name with"),
            ({"idletimeout": "0"}, f"{path}.idletimeout: expected more than 0"),
            ({"tls": {"key": "/k"}}, f"{path}.tls: certificate and key go together"),
            ({"maxfills": 0}, f"{path}.maxfills: expected 1 or more"),
            (
                {"username": "u", "exec": {"command": "c"}},
                f"{path}.exec.command: excludes {path}.username",
            ),
        ):
            (problem,) = self.problems(upstreams={"a": upstream})
            self.assertIn(expected, problem)

    def test_keys(self) -> None:
        """A key is one component of a name, in lower case."""
        for key in ("A", "a/b", "-a", "h:5000/x", "Host.example"):
            self.assertTrue(self.problems(upstreams={key: {}}), key)
        for key in ("a", "ghcr.io", "localhost"):
            self.assertEqual(self.problems(upstreams={key: {}}), [], key)

    def test_called_the_same(self) -> None:
        """No name is of two upstreams."""
        one, two = {"hosts": ["same.example"]}, {"hosts": ["Same.example"]}
        (problem,) = self.problems(upstreams={"a": one, "b": two})
        self.assertIn("Same.example is another name of proxy.upstreams.a", problem)
        (problem,) = self.problems(upstreams={"a": {"hosts": ["b"]}, "b": {}})
        self.assertIn("b is another name of proxy.upstreams.a", problem)

    def test_local(self) -> None:
        """It makes sense in a cache alone."""
        (problem,) = self.problems(local=["a/**"])
        self.assertIn("without an upstream everything is local", problem)
