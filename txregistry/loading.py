"""Read the configuration: a file, the environment, and what they come to."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any

import yaml

from txregistry.auth.maker import known_controllers
from txregistry.config.defaults import EMBEDDED
from txregistry.config.environment import Override
from txregistry.config.fields import Scalar, key_text
from txregistry.config.model import Config
from txregistry.config.read import ConfigurationError, read
from txregistry.namedfiles import file_problems
from txregistry.storagedriver.maker import known_drivers

#: What a process ends with that cannot use its configuration (sysexits, EX_CONFIG).
EX_CONFIG = 78


def load(path: str | None, environment: Mapping[str, str]) -> tuple[Config, list[str]]:
    """Read the configuration from a file and the environment.

    :return: the configuration and warnings about it.
    :raise ConfigurationError: with every problem.
    """
    path = path or environment.get("REGISTRY_CONFIGURATION_PATH")
    mapping = EMBEDDED if path is None else _read_file(path)
    if not isinstance(mapping, Mapping):
        raise ConfigurationError([f"{path}: expected a mapping of keys"])
    drivers, controllers = known_drivers(), known_controllers()
    override = Override(_parse_yaml, _read_text, drivers | controllers)
    found = override.apply(mapping, environment)
    reading = read(found.mapping)
    config = reading.config
    reading.tell(_not_offered("storage", config.storage.driver, drivers))
    reading.tell(_not_offered("auth", config.auth.controller, controllers))
    reading.tell(file_problems(config, environment))
    problems = [found.with_origin(problem) for problem in reading.problems]
    if found.problems or problems:
        raise ConfigurationError(found.problems + problems)
    return config, found.warnings + reading.warnings


_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_-]{0,19}")


def _not_offered(section: str, name: str, offered: frozenset[str]) -> list[str]:
    if not name or name in offered:
        return []
    # What looks like no name may be meant for somebody else, and be secret.
    told = f"{section}.{name}" if _PLAIN_NAME.fullmatch(name) else section
    return [f"{told}: expected {' or '.join(sorted(offered))}"]


def _read_file(path: str) -> object:
    try:
        return _parse_yaml(_read_text(path))
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigurationError([f"{path}: is not YAML: {error}"]) from error


def _read_text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        try:
            return file.read()
        except UnicodeDecodeError as error:
            raise ValueError("it is not UTF-8") from error


class _Loader(yaml.SafeLoader):
    """Keeps the text of plain scalars beside what YAML takes them for."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, Any]:
        """Give a mapping whose keys are texts."""
        found = super().construct_mapping(node, deep)
        return {key_text(name): item for name, item in found.items()}


def _scalar(kind: str) -> None:
    read = yaml.SafeLoader.yaml_constructors[kind]

    def construct(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Scalar:
        return Scalar(read(loader, node), str(node.value))

    _Loader.add_constructor(kind, construct)


for _kind in ("int", "float", "bool", "timestamp"):
    _scalar(f"tag:yaml.org,2002:{_kind}")


#: More than one character in quotes.
_QUOTED = re.compile(r"(['\"]).{2,}\1", re.DOTALL)


def _parse_yaml(text: str) -> object:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        raise ValueError(_what_is_wrong(error)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError("it cannot be read") from error


def _what_is_wrong(error: yaml.MarkedYAMLError) -> str:
    """Say it without what is written there, which may be a password."""
    mark = error.problem_mark
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    # Names of tags, aliases and anchors are quoted; so are single characters.
    problem = _QUOTED.sub("…", str(error.problem or error.context))
    return f"{problem}{where}"
