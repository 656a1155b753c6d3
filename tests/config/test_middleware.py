"""The section ``middleware``."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.yamltext import parse_yaml
from txregistry.config.environment import Override
from txregistry.config.files import Files, FileText
from txregistry.config.middleware import (
    RANGES_URL,
    CloudFrontOptions,
    Middleware,
    MiddlewareItem,
    StorageItem,
)
from txregistry.config.model import Config
from txregistry.config.read import Reading, read
from txregistry.config.show import effective

HEAD = "version: 0.1\nstorage: inmemory\nmiddleware:\n"

CLOUDFRONT = (
    HEAD
    + """\
  storage:
  - name: cloudfront
    options:
      baseurl: https://cdn.example/
      privatekey: ${CREDENTIALS_DIRECTORY}/key.pem
      keypairid: 0123
      duration: 5m
      updatefrenquency: 3h
      awsregion: us-east-1
"""
)


def reading(text: str) -> Reading:
    return read(parse_yaml(text).value)


def options(config: Config) -> Any:
    return config.middleware.storage[0].options


class ReadTests(SynchronousTestCase):
    """What it comes to."""

    def test_lists(self) -> None:
        """Each list in its order, with what packages make of options left to them."""
        found = reading(
            HEAD
            + "  registry: [{name: b, options: {a: [1]}}, {name: a, disabled: yes}]"
        )
        self.assertEqual((found.problems, found.warnings), ([], []))
        expected = (
            MiddlewareItem("b", False, {"a": [1]}),
            MiddlewareItem("a", True, {}),
        )
        self.assertEqual(found.config.middleware, Middleware(expected))

    def test_cloudfront(self) -> None:
        """Our own have typed options, with defaults, and the misspelt one."""
        found = reading(CLOUDFRONT)
        self.assertEqual((found.problems, found.warnings), ([], []))
        given = options(found.config)
        self.assertEqual(given["keypairid"], "0123")
        self.assertEqual(
            (given["duration"], given["updatefrequency"]), (300.0, 10800.0)
        )
        self.assertEqual(given["ipfilteredby"], "none")
        self.assertEqual(given["iprangesurl"], RANGES_URL)
        self.assertEqual(given.keys(), attrs.fields_dict(CloudFrontOptions).keys())

    def test_incomplete(self) -> None:
        """What is missing or wrong is told with its key, unless it is disabled."""
        text = HEAD + "  storage:\n  - {name: cloudfront, options: {duration: soon}}\n"
        path = "middleware.storage[0].options"
        told = [problem.partition(": ")[0] for problem in reading(text).problems]
        names = ("duration", "baseurl", "privatekey", "keypairid")
        self.assertEqual(told, [f"{path}.{name}" for name in names])
        disabled = text.replace("{name", "{disabled: true, name")
        self.assertEqual(reading(disabled).problems, [])

    def test_unknown_option(self) -> None:
        """An option of ours that there is not is told, with what may be meant."""
        text = HEAD + "  storage: [{name: redirect, options: {baseUrl: http://a}}]"
        path = "middleware.storage[0].options"
        told = f"{path}.baseUrl: is not a known key and is ignored"
        self.assertEqual(
            reading(text).warnings, [f"{told}; did you mean {path}.baseurl?"]
        )

    def test_names_that_are_none(self) -> None:
        """They are told with their places; to fill in files is not what fails."""
        for name in ("[cloudfront]", "{a: b}"):
            text = f"  storage: [{{name: {name}, options: {{a: b}}}}]"
            filled = Files(FileText, {}).fill(parse_yaml(HEAD + text).value)
            (problem,) = read(filled.mapping).problems
            self.assertTrue(problem.startswith("middleware.storage[0].name: "))

    def test_wrong(self) -> None:
        """What is no list, no item or no mapping of options is refused."""
        for text, path in (
            ("  storage: 1", "middleware.storage"),
            ("  storage: [1]", "middleware.storage[0]"),
            (
                "  registry: [{options: {}, disabled: no}]",
                "middleware.registry[0].name",
            ),
            (
                "  repository: [{name: a, options: [1]}]",
                "middleware.repository[0].options",
            ),
        ):
            problems = reading(HEAD + text).problems
            told = [problem.partition(": ")[0] for problem in problems]
            self.assertEqual(told, [path])

    def test_empty(self) -> None:
        """An item without a name is passed over, and told."""
        text = HEAD + "  storage: [{name: ''}, {name: rewrite}]"
        found = reading(text)
        (item,) = found.config.middleware.storage
        self.assertEqual(item.name, "rewrite")
        told = "middleware.storage[0]: is empty and is ignored"
        self.assertEqual(found.warnings, [told])


class AroundTests(SynchronousTestCase):
    """Variables, files, and what is shown."""

    def test_variables(self) -> None:
        """A variable changes an option, or adds a middleware."""
        override = Override(lambda text: parse_yaml(text).value, str, ())
        name = "REGISTRY_MIDDLEWARE_STORAGE_0_OPTIONS_DURATION"
        mapping = parse_yaml(CLOUDFRONT).value
        found = override.apply(mapping, {name: "7m"})
        self.assertEqual(options(read(found.mapping).config)["duration"], 420.0)

    def test_credentials(self) -> None:
        """The key of cloudfront may be where systemd has secrets."""
        files = Files(FileText, {"CREDENTIALS_DIRECTORY": "/run/c"})
        filled = files.fill(parse_yaml(CLOUDFRONT).value)
        self.assertEqual(filled.problems, [])
        config = read(filled.mapping).config
        self.assertEqual(options(config)["privatekey"], "/run/c/key.pem")

    def test_secrets_of_packages(self) -> None:
        """A secret of any other middleware may be in a file, and is masked."""
        text = HEAD + "  registry: [{name: a, options: {tokens: {mysecretfile: /x}}}]"
        files = Files(lambda path: FileText(f"in {path}\n"), {})
        config = read(files.fill(parse_yaml(text).value).mapping).config
        (item,) = config.middleware.registry
        self.assertEqual(item.options, {"tokens": {"mysecret": "in /x"}})
        shown = effective(config)["middleware"]["registry"][0]["options"]
        self.assertNotIn("in /x", str(shown))

    def test_shown(self) -> None:
        """What is shown can be read again, and means the same."""
        config = reading(CLOUDFRONT).config
        shown = effective(config)
        self.assertEqual(shown["middleware"]["storage"][0]["options"]["duration"], "5m")
        self.assertEqual(read(shown).config.middleware, config.middleware)

    def test_defaults(self) -> None:
        """An item that is not disabled is used."""
        self.assertFalse(StorageItem("x").disabled)
