"""The configuration: distribution's files, all errors at once, overrides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.loading import load
from txregistry.assembly.settings import api_settings
from txregistry.assembly.yamltext import parse_yaml
from txregistry.config.defaults import EMBEDDED
from txregistry.config.environment import Override
from txregistry.config.model import Config
from txregistry.config.read import ConfigurationError, read_config

MINIMAL = {"version": "0.1", "storage": "inmemory"}

#: What the image of Docker distribution 2.8 ships, and sections of 2.x and 3.x.
STOCK = """
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
    maxthreads: 100
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
redis:
  addr: localhost:6379
  pool: {maxidle: 16}
notifications:
  endpoints: [{name: x, url: "http://x/"}]
reporting:
  bugsnag: {apikey: x}
compatibility:
  schema1: {enabled: true}
tags: {maxtags: 100}
proxy:
  remoteurl: https://registry-1.docker.io
  username: me
  password: "1234"
  ttl: 168h
  cachewritetimeout: 5m
"""


def override(
    mapping: dict[str, Any],
    environment: dict[str, str],
    parse: Callable[[str], object] = yaml.safe_load,
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Apply variables, none of which names a file."""
    found = Override(parse, read=str.upper).apply(mapping, environment)
    return dict(found.mapping), found.warnings, found.problems


class ReadCase(SynchronousTestCase):
    """Reads a mapping."""

    def read(self, **more: object) -> Config:
        return read_config({**MINIMAL, **more})[0]

    def problems(self, **more: object) -> list[str]:
        with self.assertRaises(ConfigurationError) as caught:
            read_config({**MINIMAL, **more})
        return caught.exception.problems

    def warnings(self, **more: object) -> list[str]:
        return read_config({**MINIMAL, **more})[1]


class ReadTests(ReadCase):
    """Reading a mapping."""

    def test_defaults(self) -> None:
        """What is not said is what distribution would do, and a cache's own."""
        config = self.read()
        self.assertEqual(config.storage.driver, "inmemory")
        self.assertEqual((config.proxy.ttl, config.proxy.tagttl), (604800.0, 60.0))
        self.assertEqual(config.proxy.connecttimeout, 10.0)
        self.assertEqual(config.proxy.firstbytetimeout, 20.0)
        self.assertEqual(config.proxy.idletimeout, 30.0)
        self.assertIsNone(config.proxy.maxstale)

    def test_catalogue(self) -> None:
        """``catalog.strict`` refuses what is else clamped to ``catalog.maxentries``."""
        for given, wanted in (
            ({}, (1000, False)),
            ({"maxentries": 5}, (5, False)),
            ({"maxentries": 5, "strict": True}, (5, True)),
        ):
            found = api_settings(self.read(catalog=given), bytes)
            self.assertEqual((found.max_repositories, found.strict_catalog), wanted)
        self.assertIn("catalog.strict", self.problems(catalog={"strict": "maybe"})[0])

    def test_embedded_defaults(self) -> None:
        """Without a file it is a cache of Docker Hub on loopback."""
        config, warnings = read_config(EMBEDDED)
        self.assertEqual(config.proxy.remoteurl, "https://registry-1.docker.io")
        self.assertEqual(config.http.addr, "127.0.0.1:5000")
        self.assertEqual(warnings, [])

    def test_stock_file(self) -> None:
        """A file of distribution is taken as it is; what has no effect is said."""
        config, warnings = read_config(parse_yaml(STOCK).value)
        self.assertEqual(config.proxy.password, "1234")
        self.assertEqual(config.http.headers["X-Content-Type-Options"], ("nosniff",))
        self.assertEqual(
            config.storage.parameters["rootdirectory"], "/var/lib/registry"
        )
        silent = {line.partition(":")[0] for line in warnings}
        self.assertEqual(
            silent,
            {
                "reporting",
                "proxy.cachewritetimeout",
                "redis",
                "redis.pool.maxidle",
            },
        )

    def test_secrets_are_taken_as_written(self) -> None:
        """What looks like a number, a date or a truth is text where text is meant."""
        for text in ("0123", "0x1F", "12:30:45", "1_000", "1.50", "yes", "2024-01-01"):
            mapping = parse_yaml(
                f"version: 0.1\nstorage: inmemory\nproxy: {{password: {text}}}"
            )
            config, _ = read_config(mapping.value)
            self.assertEqual(config.proxy.password, text)
        with_variable, _ = load(None, {"REGISTRY_PROXY_PASSWORD": "0123"})
        self.assertEqual(with_variable.proxy.password, "0123")

    def test_unknown_driver(self) -> None:
        """A driver that nothing offers is told with the rest."""
        with self.assertRaises(ConfigurationError) as caught:
            load(None, {"REGISTRY_STORAGE": "{nosuch: {}}"})
        self.assertIn(
            "storage.nosuch: expected filesystem", caught.exception.problems[0]
        )

    def test_all_problems_together(self) -> None:
        """Each problem has its key's path and says what was expected."""
        problems = self.problems(
            version="9",
            log={"level": "loud", "accesslog": {"disabled": "maybe"}},
            http={"addr": 5, "headers": {"X": "y"}, "draintimeout": "30"},
            proxy={"remoteurl": ["x"], "ttl": "a week"},
        )
        paths = [line.partition(":")[0] for line in problems]
        self.assertEqual(
            paths,
            [
                "log.accesslog.disabled",
                "http.addr",
                "http.draintimeout",
                "http.headers.X",
                "proxy.remoteurl",
                "proxy.ttl",
                "version",
                "log.level",
            ],
        )
        self.assertIn("true or false", problems[0])
        self.assertIn("10s", problems[2])

    def test_wrong_values(self) -> None:
        """Values of the right type that cannot be used."""
        for more, path in (
            ({"version": "0.2"}, "version"),
            ({"log": {"level": "loud"}}, "log.level"),
            ({"log": {"formatter": "xml"}}, "log.formatter"),
            ({"http": {"addr": "nowhere"}}, "http.addr"),
            ({"http": {"net": "udp"}}, "http.net"),
            ({"http": {"debug": {"addr": "x"}}}, "http.debug.addr"),
            ({"http": {"tls": {"certificate": "x"}}}, "http.tls"),
            ({"proxy": {"remoteurl": "ftp://x"}}, "proxy.remoteurl"),
            ({"proxy": {"remoteurl": "https://x/path?q"}}, "proxy.remoteurl"),
            ({"proxy": {"remoteurl": "https://x/a b"}}, "proxy.remoteurl"),
            ({"proxy": {"remoteurl": "https://x/a/v2/"}}, "proxy.remoteurl"),
            ({"proxy": {"remoteurl": "https://é"}}, "proxy.remoteurl"),
            (
                {"proxy": {"remoteurl": "http://x", "maxconnections": 0}},
                "proxy.maxconnections",
            ),
            (
                {"proxy": {"remoteurl": "http://x", "stalltimeout": "0"}},
                "proxy.stalltimeout",
            ),
            (
                {"proxy": {"remoteurl": "http://x", "useragent": "a\nb: c"}},
                "proxy.useragent",
            ),
            ({"proxy": {"remoteurl": "https://u:p@x"}}, "proxy.remoteurl"),
            ({"proxy": {"remoteurl": "https://x#f"}}, "proxy.remoteurl"),
            ({"proxy": {"remoteurl": "https://x:99999"}}, "proxy.remoteurl"),
            ({"proxy": {"remoteurl": "http://[::1"}}, "proxy.remoteurl"),
            ({"http": {"prefix": "/é/"}}, "http.prefix"),
            (
                {"storage": {"filesystem": {"rootdirectory": None}}},
                "storage.filesystem.rootdirectory",
            ),
            (
                {"storage": {"filesystem": {"directwrites": "no"}}},
                "storage.filesystem.directwrites",
            ),
            ({"proxy": {"tls": {"key": "x"}}}, "proxy.tls"),
            (
                {"proxy": {"username": "a", "exec": {"command": "b"}}},
                "proxy.exec.command",
            ),
            (
                {"storage": {"cache": {"blobdescriptorsize": -1}, "inmemory": None}},
                "storage.cache.blobdescriptorsize",
            ),
        ):
            self.assertEqual(self.problems(**more)[0].partition(":")[0], path)

    def test_version_is_required(self) -> None:
        """A file without a version is none of ours."""
        with self.assertRaises(ConfigurationError) as caught:
            read_config({"storage": "inmemory"})
        self.assertEqual(caught.exception.problems, ["version: is missing"])

    def test_exactly_one_driver(self) -> None:
        """None, or two, are a problem that names them."""
        for storage, found in (
            ({"cache": {}}, "none"),
            ({"filesystem": {}, "s3": {}}, "filesystem, s3"),
        ):
            (problem,) = self.problems(storage=storage)
            self.assertIn(f"exactly one driver, found {found}", problem)
        self.assertIn("storage", self.problems(storage=7)[0])

    def test_unknown_keys(self) -> None:
        """An unknown key is a warning that names the nearest known one."""
        (warning,) = self.warnings(proxy={"remoteURL": "x"})
        self.assertIn("did you mean proxy.remoteurl?", warning)
        (warning,) = self.warnings(nonsense_of_ours=1)
        self.assertNotIn("did you mean", warning)


class OverrideTests(SynchronousTestCase):
    """REGISTRY_ variables."""

    def apply(self, **variables: str) -> tuple[dict[str, Any], list[str], list[str]]:
        base = {"version": "0.1", "storage": {"filesystem": {"rootdirectory": "/x"}}}
        environment = {f"REGISTRY_{name}": text for name, text in variables.items()}
        return override(base, environment)

    def test_simple(self) -> None:
        """A path of keys in upper case; the value is YAML."""
        found, warnings, problems = self.apply(
            HTTP_ADDR="0.0.0.0:1",
            STORAGE_DELETE_ENABLED="true",
            HTTP_HEADERS="{X-A: [b]}",
            PROXY_TLS_INSECURE="true",
        )
        self.assertEqual(
            found["http"], {"addr": "0.0.0.0:1", "headers": {"X-A": ["b"]}}
        )
        self.assertIs(found["storage"]["delete"]["enabled"], True)
        self.assertEqual((warnings, problems), ([], []))

    def test_driver_is_replaced(self) -> None:
        """The whole section first, then a parameter of it."""
        found, _, _ = self.apply(STORAGE="s3", STORAGE_S3_BUCKET="b")
        self.assertEqual(found["storage"], {"s3": {"bucket": "b"}})

    def test_parameters_match_by_case(self) -> None:
        """A key of a map that is there is found, others are made in lower case."""
        found, _, _ = self.apply(
            STORAGE_FILESYSTEM_ROOTDIRECTORY="/y", STORAGE_FILESYSTEM_MAXTHREADS="50"
        )
        self.assertEqual(
            found["storage"]["filesystem"], {"rootdirectory": "/y", "maxthreads": 50}
        )

    def test_lists(self) -> None:
        """An item by its index, or one past the last; no further."""
        found, warnings, _ = self.apply(
            PROXY_TRUSTEDREALMS="[a, b]",
            PROXY_TRUSTEDREALMS_1="c",
            PROXY_TRUSTEDREALMS_2="d",
            PROXY_TRUSTEDREALMS_9="e",
        )
        self.assertEqual(found["proxy"]["trustedrealms"], ["a", "c", "d"])
        self.assertEqual(len(warnings), 1)

    def test_unknown(self) -> None:
        """Variables that are no keys, as Kubernetes makes them, are warnings."""
        found, warnings, _ = self.apply(
            PORT="tcp://1.2.3.4", SERVICE_HOST="x", HTTP_ADDR_MORE="x"
        )
        self.assertEqual(set(found), {"version", "storage"})
        self.assertEqual(len(warnings), 3)

    def test_bad_yaml(self) -> None:
        """A value that is no YAML is a problem."""

        def parse(text: str) -> object:
            raise ValueError("broken")

        _, _, problems = override({}, {"REGISTRY_HTTP_ADDR": "["}, parse)
        self.assertIn("REGISTRY_HTTP_ADDR", problems[0])

    def test_original_is_untouched(self) -> None:
        """The mapping that came from the file stays as it was."""
        base = {"http": {"headers": {"A": ["x"]}}}
        override(base, {"REGISTRY_HTTP_HEADERS_A": "[y]"})
        self.assertEqual(base, {"http": {"headers": {"A": ["x"]}}})

    def test_other_variables(self) -> None:
        """The path of the file is no key, and others are not ours."""
        found, warnings, _ = override(
            {}, {"REGISTRY_CONFIGURATION_PATH": "/x", "HOME": "/"}
        )
        self.assertEqual((found, warnings), ({}, []))
