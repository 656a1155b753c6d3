"""Read the configuration from a file and the environment."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import yaml

from txregistry.assembly.namedfiles import file_problems
from txregistry.auth.maker import known_controllers
from txregistry.config.defaults import EMBEDDED
from txregistry.config.environment import Override
from txregistry.config.fields import Scalar, key_text
from txregistry.config.model import Config
from txregistry.config.read import ConfigurationError, read
from txregistry.storagedriver.maker import known_drivers

#: Exit status for an unusable configuration (sysexits, EX_CONFIG).
EX_CONFIG = 78


#: Most characters of a file, or of a variable.
MAX_CHARACTERS = 256 * 1024

#: Most values of a configuration, with each alias expanded.
MAX_VALUES = 20_000

#: Deepest nesting of sections and lists.
MAX_DEPTH = 64

#: Most characters of a number: longer ones take long to read.
_MAX_NUMBER = 100

#: The number of values, and their depth.
_Size = tuple[int, int]


class _TooMuch(ValueError):
    """The expanded configuration is too large."""


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
    # A value that is not like a name may be a secret of another program.
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
            # Reads just enough to see that it is too long: a device has no end.
            return _of_length(file.read(MAX_CHARACTERS + 1))
        except UnicodeDecodeError as error:
            raise ValueError("it is not UTF-8") from error


def _of_length(text: str) -> str:
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"it is longer than {MAX_CHARACTERS} characters")
    return text


class _Loader(yaml.SafeLoader):
    """Keeps the text of plain scalars beside their YAML value."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, Any]:
        """Give a mapping whose keys are texts."""
        found = super().construct_mapping(node, deep)
        return {key_text(name): item for name, item in found.items()}


def _scalar(kind: str) -> None:
    read = yaml.SafeLoader.yaml_constructors[kind]

    def construct(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Scalar:
        if len(node.value) > _MAX_NUMBER:
            return Scalar(node.value, node.value)
        return Scalar(read(loader, node), str(node.value))

    _Loader.add_constructor(kind, construct)


for _kind in ("int", "float", "bool", "timestamp"):
    _scalar(f"tag:yaml.org,2002:{_kind}")


#: More than one character in quotes, which may be a secret.
_QUOTED = re.compile(r"(['\"]).{2,}\1", re.DOTALL)


def _parse_yaml(text: str) -> object:
    try:
        return _constructed(_Loader(_of_length(text)))
    except _TooMuch:
        raise
    except yaml.MarkedYAMLError as error:
        raise ValueError(_what_is_wrong(error)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError("it cannot be read") from error


def _constructed(loader: _Loader) -> object:
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _measure(node: yaml.Node, known: dict[int, _Size | None]) -> _Size:
    """Count the values of a node with each alias expanded.

    :param known: receives the count of each node; ``None`` while it is being counted.
    :raise ValueError: there are too many, or infinitely many.
    """
    key = id(node)
    if key in known:
        found = known[key]
        if found is None:
            raise _TooMuch("an alias refers to a value that contains it")
        return found
    known[key] = None
    values, depth = 1, 0
    for child in _children(node):
        inner = _measure(child, known)
        values, depth = values + inner[0], max(depth, inner[1])
    if values > MAX_VALUES or depth >= MAX_DEPTH:
        raise _TooMuch(f"it has more than {MAX_VALUES} values, or {MAX_DEPTH} levels")
    known[key] = values, depth + 1
    return values, depth + 1


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _what_is_wrong(error: yaml.MarkedYAMLError) -> str:
    """Describe an error without quoting the text, which may be a password."""
    mark = error.problem_mark
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    # Names of tags, aliases and anchors are quoted; so are single characters.
    problem = _QUOTED.sub("…", str(error.problem or error.context))
    return f"{problem}{where}"
