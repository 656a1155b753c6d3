"""The JSON schema: what it takes the daemon takes, as far as a schema can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from tests.config.test_config import MINIMAL
from tests.config.test_table import everything
from tests.shapes import SHAPES
from txregistry.assembly.loading import examine
from txregistry.config.defaults import EMBEDDED
from txregistry.config.environment import Override
from txregistry.config.read import read
from txregistry.config.schema import schema
from txregistry.config.table import keys

TOP = Path(__file__).parents[2]

#: Configurations that come with txregistry.
OURS = [*sorted((TOP / "etc").glob("*.yml")), TOP / "debian" / "config.yml"]

LENIENT = Draft202012Validator(schema())
STRICT = Draft202012Validator(schema(is_strict=True))

#: Configurations that are refused, each for a reason that a schema can tell.
WRONG: tuple[Mapping[str, Any], ...] = (
    {"version": None},
    {"version": "0.2"},
    {"storage": None},
    {"storage": {}},
    {"storage": "nosuch"},
    {"storage": {"inmemory": None, "filesystem": None}},
    {"storage": {"inmemory": None, "other": None}},
    {"storage": {"filesystem": {"maxthreads": "many"}}},
    {"storage": {"filesystem": {"maxthreads": 0}}},
    {"storage": {"filesystem": {"directwrites": 1}}},
    {"storage": {"inmemory": None, "delete": {"enabled": "maybe"}}},
    {"storage": {"inmemory": None, "cache": {"blobdescriptor": "disk"}}},
    {"storage": {"inmemory": None, "cache": {"blobdescriptorsize": -1}}},
    {"log": "info"},
    {"log": {"level": "loud"}},
    {"log": {"level": 3}},
    {"log": {"fields": ["a"]}},
    {"http": {"headers": {"X-A": "b"}}},
    {"http": {"draintimeout": "soon"}},
    {"http": {"draintimeout": -1}},
    {"http": {"tls": {"minimumtls": "ssl3"}}},
    {"http": {"tls": {"clientcas": "file"}}},
    {"http": {"tls": {"ciphersuites": ["TLS_NULL"]}}},
    {"http": {"limits": {"connections": "many"}}},
    {"http": {"limits": {"streams": 0}}},
    {"http": {"secret": "a", "secretfile": "/b"}},
    {"proxy": ["https://a"]},
    {"proxy": {"ttl": "1 week"}},
    {"proxy": {"maxfills": 0}},
    {"proxy": {"trustedrealms": "https://a"}},
    {"auth": "htpasswd"},
    {"auth": {"silly": {"realm": "r", "service": "s"}, "htpasswd": {}}},
    {"auth": {"silly": {"realm": "r"}}},
    {"auth": {"other": {}}},
    {"auth": {"token": {"realm": "r", "service": "s", "issuer": "i"}}},
    {"notifications": {"endpoints": [{"name": "n"}]}},
    {"notifications": {"endpoints": [{"url": "http://a/"}]}},
    {"notifications": {"endpoints": {"name": "n"}}},
    {"health": {"tcp": [{"interval": "1s"}]}},
    {"tags": {"maxtags": 0}},
    {"validation": {"manifests": {"indexes": {"platforms": "some"}}}},
    {"validation": {"manifests": {"indexes": {"platformlist": [{"os": "linux"}]}}}},
)

#: Odd, and taken.
ODD: tuple[Mapping[str, Any], ...] = (
    {"storage": "inmemory"},
    {"version": 0.1},
    {"storage": {"filesystem": {"maxthreads": "8"}}},
    {"auth": None},
    {"auth": "none"},
    {"auth": {"none": None}},
    {"log": None, "http": "", "proxy": {}},
    {"http": {"secret": 123, "headers": {"A": []}, "tls": {"clientcas": ""}}},
    {"http": {"secret": "", "secretfile": "/x"}},
    {"proxy": {"ttl": 0, "tagttl": "1h30m", "maxstale": "2w", "recheck": None}},
    {"notifications": {"endpoints": [{"name": "n", "urlfile": "/x"}]}},
    {"reporting": "x"},
    {"middleware": {"registry": [], "storage": [{"name": "x", "disabled": True}]}},
)


class SchemaTests(SynchronousTestCase):
    """Configurations, against the schema."""

    def errors(self, validator: Any, mapping: Any) -> list[str]:
        return [error.json_path for error in validator.iter_errors(mapping)]

    def test_is_a_schema(self) -> None:
        """It is one of draft 2020-12."""
        Draft202012Validator.check_schema(schema())
        Draft202012Validator.check_schema(schema(["azure"], ["ldap"], True))

    def problems(self, mapping: Mapping[str, Any]) -> list[str]:
        """Give what the daemon finds; files that are named need not be there."""
        path = Path(self.mktemp())
        path.write_text(yaml.safe_dump(dict(mapping)))
        found = examine(str(path), {}).problems
        return [problem for problem in found if "cannot be read" not in problem]

    def shapes(self) -> Iterator[tuple[str, Any]]:
        """Give what others use, with their variables in place."""
        for path in OURS:
            yield str(path), yaml.safe_load(path.read_text())
        override = Override(yaml.safe_load, lambda path: "secret")
        places = {"address": ":1", "debug": ":2", "dir": "/d", "upstream": "http://u"}
        for name, shape in SHAPES.items():
            text, environment = shape.filled(**places)
            mapping = yaml.safe_load(text) if text else EMBEDDED
            yield name, dict(override.apply(mapping, environment).mapping)

    def test_configurations_of_others(self) -> None:
        """Each that is used somewhere is taken; a strict one finds unknown keys."""
        for name, mapping in self.shapes():
            self.assertEqual(self.errors(LENIENT, mapping), [], name)
            unknown = [item for item in read(mapping).warnings if "not a known" in item]
            is_wrong = bool(self.errors(STRICT, mapping))
            self.assertEqual(is_wrong, bool(unknown), (name, unknown))

    def test_wrong(self) -> None:
        """What the schema refuses the daemon refuses."""
        for config in WRONG:
            mapping = {**MINIMAL, **config}
            self.assertNotEqual(self.errors(LENIENT, mapping), [], config)
            self.assertNotEqual(self.problems(mapping), [], config)

    def test_odd(self) -> None:
        """It takes what looks odd and is taken."""
        for config in ODD:
            mapping = {**MINIMAL, **config}
            self.assertEqual(self.errors(STRICT, mapping), [], config)
            self.assertEqual(self.problems(mapping), [], config)

    def test_every_key(self) -> None:
        """It takes each key of the table at its default, and describes each."""
        for driver, controller in (("filesystem", "token"), ("inmemory", "silly")):
            mapping = everything(driver, controller)
            self.assertEqual(self.errors(STRICT, mapping), [])
        text = str(schema())
        for row in keys():
            self.assertIn(
                row.doc[:40].replace("'", ""), text.replace("'", ""), row.path
            )

    def test_what_packages_offer(self) -> None:
        """Their drivers and controllers have any parameters."""
        offered = Draft202012Validator(schema(["azure"], ["ldap"]))
        for config in (
            {"storage": {"azure": {"bucket": "b"}}, "auth": {"ldap": {"url": "x"}}},
            {"storage": "azure", "auth": "ldap"},
        ):
            self.assertEqual(self.errors(offered, {**MINIMAL, **config}), [])
        both = {"storage": {"azure": None, "inmemory": None}}
        self.assertNotEqual(self.errors(offered, {**MINIMAL, **both}), [])
