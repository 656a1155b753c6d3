"""Text of YAML, with bounds, the text of plain scalars, and where each key stands."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import attrs
import yaml

from txregistry.config.fields import Scalar, key_text

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


@attrs.frozen
class Document:
    """What a text comes to.

    :ivar lines: where keys and items stand, by their paths; the first line is 1.
    """

    value: object
    lines: Mapping[str, int] = attrs.field(factory=dict)


def read_text(path: str) -> str:
    """Read a file.

    :raise ValueError: it is no text, or too long.
    :raise OSError: it cannot be read.
    """
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


def parse_yaml(text: str) -> Document:
    """Read a text.

    :raise ValueError: it is malformed, or too much; the message quotes nothing of it.
    """
    try:
        return _constructed(_Loader(_of_length(text)))
    except _TooMuch:
        raise
    except yaml.MarkedYAMLError as error:
        raise ValueError(_what_is_wrong(error)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError("it cannot be read") from error


def _constructed(loader: _Loader) -> Document:
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(None)
        _measure(node, {})
        # Keys that << merges in are in the nodes after this.
        value = loader.construct_document(node)
        return Document(value, dict(_lines(node, "")))
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


def _lines(node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    """Give the line of each key and item below a node."""
    if isinstance(node, yaml.MappingNode):
        below = [(key, f"{path}.{key.value}", value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        items = enumerate(node.value)
        below = [(item, f"{path}[{index}]", item) for index, item in items]
    else:
        return
    for marked, inner, value in below:
        yield inner.removeprefix("."), marked.start_mark.line + 1
        yield from _lines(value, inner)


def _what_is_wrong(error: yaml.MarkedYAMLError) -> str:
    """Describe an error without quoting the text, which may be a password."""
    mark = error.problem_mark
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    # Names of tags, aliases and anchors are quoted; so are single characters.
    problem = _QUOTED.sub("…", str(error.problem or error.context))
    return f"{problem}{where}"
