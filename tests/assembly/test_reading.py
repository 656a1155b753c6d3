"""The configuration by itself, without a look at what it names."""

from __future__ import annotations

from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.makers import s3_problems
from txregistry.assembly.reading import Loaded, _no_driver, read_sources
from txregistry.config.read import ConfigurationError, read
from txregistry.config.storage import ELSEWHERE


class ReadingTests(SynchronousTestCase):
    """A file and the environment."""

    def read(self, config: object, **environment: str) -> Loaded:
        self.path = self.mktemp()
        Path(self.path).write_text(yaml.safe_dump(config))
        return read_sources(self.path, environment)

    def test_embedded(self) -> None:
        """Without a file it is a cache of Docker Hub."""
        found = read_sources(None, {"REGISTRY_PROXY_TTL": "5m"})
        self.assertEqual((found.problems, found.config.proxy.ttl), ([], 300.0))
        self.assertEqual(found.config.proxy.remoteurl, "https://registry-1.docker.io")

    def test_files_are_not_looked_at(self) -> None:
        """What a file of TLS holds is no matter here."""
        tls = {"certificate": "/gone", "key": "/gone"}
        config = {"version": "0.1", "storage": "inmemory", "http": {"tls": tls}}
        self.assertEqual(self.read(config).problems, [])

    def test_look_around(self) -> None:
        """Whoever looks adds what was found, with the variable it comes from."""
        found = read_sources(
            None,
            {"REGISTRY_HTTP_ADDR": "a:1"},
            look_around=lambda config: iter([f"http.addr: no {config.http.addr}"]),
        )
        self.assertEqual(found.problems, ["http.addr: no a:1 (see REGISTRY_HTTP_ADDR)"])

    def test_names(self) -> None:
        """Drivers and controllers that nobody offers are told."""
        found = self.read({"version": "0.1", "storage": "s4", "auth": {"ldap": {}}})
        self.assertEqual(
            found.problems,
            [
                "storage.s4: expected filesystem or inmemory or s3",
                "auth.ldap: expected htpasswd or silly or token",
            ],
        )

    def test_no_mapping(self) -> None:
        """A file of something else is refused by its name."""
        error = self.assertRaises(ConfigurationError, self.read, ["a"])
        self.assertEqual(error.problems, [f"{self.path}: expected a mapping of keys"])


GOOD = {"bucket": "b", "region": "r"}


class ElsewhereTests(SynchronousTestCase):
    """Each is told what to do."""

    def test_what_to_do(self) -> None:
        """The sentence names the section, and a way."""
        for name in ELSEWHERE:
            (problem,) = _no_driver(name)
            self.assertTrue(problem.startswith(f"storage.{name}: "))
        self.assertIn("storage.googleapis.com", _no_driver("gcs")[0])
        self.assertEqual(_no_driver("s3"), [])

    def test_other_name(self) -> None:
        """The older name of S3 means the same."""
        config = read({"version": "0.1", "storage": {"s3aws": GOOD}}).result()[0]
        self.assertEqual(config.storage.driver, "s3")
        self.assertEqual(config.storage.parameters, GOOD)

    def test_both_names(self) -> None:
        """Two sections are two drivers, of which neither is dropped without a word."""
        found = read({"version": "0.1", "storage": {"s3aws": GOOD, "s3": GOOD}})
        told = "storage: expected exactly one driver, found s3aws, s3"
        self.assertIn(told, found.problems)

    def test_problems_of_the_other_name(self) -> None:
        """They name the section that stands in the file."""
        storage = {"s3aws": {**GOOD, "chunksize": "much"}}
        (problem,) = read({"version": "0.1", "storage": storage}).problems
        self.assertTrue(problem.startswith("storage.s3aws.chunksize: "), problem)

    def test_problems(self) -> None:
        """What the driver does not take is found by a check."""
        self.assertEqual(s3_problems(GOOD), [])
        (problem,) = s3_problems({**GOOD, "v4auth": False})
        self.assertTrue(problem.startswith("storage.s3.v4auth: "))
