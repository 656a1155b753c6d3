"""What the upstreams of a configuration are called."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.upstreams import (
    Owners,
    label_of,
    names_of,
    upstream_table,
    upstreams_of,
)
from txregistry.config.proxy import Proxy
from txregistry.config.read import read_config
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import DEFAULT, HUB, HUB_HOSTS

HUB_URL = "https://registry-1.docker.io"


def proxy(**section: Any) -> Proxy:
    mapping = {"version": "0.1", "storage": {"inmemory": {}}, "proxy": section}
    return read_config(mapping)[0].proxy


class UpstreamsTests(SynchronousTestCase):
    """URLs, names and labels."""

    def test_urls(self) -> None:
        """A key is a host, unless there is a URL; the default one comes first."""
        found = upstreams_of(
            proxy(
                remoteurl="https://hub.example",
                upstreams={
                    "ghcr.io": {},
                    "docker.io": {},
                    "corp": {"remoteurl": "https://registry.corp.example/base"},
                },
            )
        )
        self.assertEqual(
            {key: item.remoteurl for key, item in found.items()},
            {
                DEFAULT: "https://hub.example",
                "ghcr.io": "https://ghcr.io",
                "docker.io": HUB_URL,
                "corp": "https://registry.corp.example/base",
            },
        )
        self.assertEqual(next(iter(found)), DEFAULT)
        self.assertNotIn(DEFAULT, upstreams_of(proxy(upstreams={"a": {}})))

    def test_hub(self) -> None:
        """Docker Hub has all its names, however it is configured."""
        for key, section in (
            (DEFAULT, {"remoteurl": HUB_URL}),
            (DEFAULT, {"remoteurl": "https://m.example", "hosts": ["Docker.io"]}),
            ("docker.io", {"upstreams": {"docker.io": {}}}),
        ):
            names = names_of(key, upstreams_of(proxy(**section))[key])
            self.assertTrue(names.is_hub)
            self.assertEqual(names.hosts[0], HUB)
            self.assertLessEqual(HUB_HOSTS, set(names.hosts))

    def test_host_of_a_url(self) -> None:
        """It names an upstream, unless more than one may be there."""
        for url, expected in (
            ("https://r.example:5000", ("x", "r.example:5000")),
            ("https://r.example:5000/base", ("x",)),
        ):
            section = {"upstreams": {"x": {"remoteurl": url}}}
            names = names_of("x", upstreams_of(proxy(**section))["x"])
            self.assertEqual(names.hosts, expected)
            self.assertFalse(names.is_hub)

    def test_default_with_a_path(self) -> None:
        """Answers need some name even so."""
        section = {"remoteurl": "https://r.example/base"}
        names = names_of(DEFAULT, upstreams_of(proxy(**section))[DEFAULT])
        self.assertEqual(names.hosts, ("r.example",))

    def test_labels(self) -> None:
        """The key, or the host of the default one."""
        found = upstreams_of(
            proxy(remoteurl="https://r.example:5000/b", upstreams={"k": {}})
        )
        labels = [label_of(key, item) for key, item in found.items()]
        self.assertEqual(labels, ["r.example:5000", "k"])
        self.assertEqual(label_of(DEFAULT, proxy()), "")

    def test_table(self) -> None:
        """It has the rules of each, and what is local."""
        section = {
            "remoteurl": HUB_URL,
            "upstreams": {"a.example": {"allow": ["x*"], "deny": ["xy"]}},
            "local": ["team/**"],
        }
        table = upstream_table(proxy(**section))
        self.assertEqual(list(table.upstreams), ["a.example"])
        names = table.upstreams["a.example"]
        self.assertEqual(
            ([str(glob) for glob in names.allow], [str(glob) for glob in names.deny]),
            (["x*"], ["xy"]),
        )
        self.assertTrue(table.is_local(RepositoryName.parse("team/a")))
        self.assertFalse(table.is_local_only)
        self.assertTrue(upstream_table(proxy()).is_local_only)


class OwnersTests(SynchronousTestCase):
    """Whose a stored repository is."""

    def test_of(self) -> None:
        """It is of one upstream, or of none; a reload changes that for who asks."""
        section = {"remoteurl": "https://hub.example", "local": ["team/**"]}
        owners = Owners(upstream_table(proxy(**section)))
        mine, others = owners.of(DEFAULT), owners.of("ghcr.io")
        names = [RepositoryName.parse(x) for x in ("a/b", "ghcr.io/a", "team/a")]
        self.assertEqual([mine(name) for name in names], [True, True, False])
        self.assertEqual([others(name) for name in names], [False, False, False])
        owners.table = upstream_table(proxy(upstreams={"ghcr.io": {}}, **section))
        self.assertEqual([mine(name) for name in names], [True, False, False])
        self.assertEqual([others(name) for name in names], [False, True, False])
