"""From an untyped mapping to a :class:`Config`, collecting every problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from txregistry.config.aliases import apply_aliases
from txregistry.config.check import check, remarks
from txregistry.config.model import Config
from txregistry.config.reader import Reader, placeholder


class ConfigurationError(Exception):
    """The configuration cannot be used; one line per problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@attrs.define
class Reading:
    """What a mapping came to.

    :ivar config: has defaults where something could not be read.
    :ivar problems: one line each, which begins with its key's path.
    :ivar warnings: of keys that are unknown, have no effect or another than expected.
    """

    config: Config
    problems: list[str]
    warnings: list[str]

    def tell(self, problems: Iterable[str]) -> None:
        """Add problems, but for those that may follow from one that is known.

        What is wrong with a key may be all that is wrong with its section. What is
        wrong with a section says nothing of its keys: they have their defaults.
        """
        known = [path_of(problem) for problem in self.problems]
        self.problems += [
            problem
            for problem in problems
            if not any(is_within(path, path_of(problem)) for path in known)
        ]

    def result(self) -> tuple[Config, list[str]]:
        """Give the configuration and the warnings.

        :raise ConfigurationError: with every problem.
        """
        if self.problems:
            raise ConfigurationError(self.problems)
        return self.config, self.warnings


def path_of(problem: str) -> str:
    """Give the path of the key that a problem is about."""
    return problem.partition(": ")[0]


def is_within(path: str, outer: str) -> bool:
    """Tell if a path is another one, or of a key below it."""
    return path == outer or not outer or path.startswith((f"{outer}.", f"{outer}["))


def read(mapping: object) -> Reading:
    """Read the configuration, whatever is wrong with it."""
    reader = Reader()
    found = reader.section(Config, mapping, "")
    if not isinstance(mapping, Mapping):
        return Reading(placeholder(Config), reader.problems, reader.warnings)
    config = apply_aliases(found)
    reading = Reading(config, reader.problems, reader.warnings + remarks(config))
    reading.tell(check(config))
    return reading


def read_config(mapping: object) -> tuple[Config, list[str]]:
    """Read the configuration.

    :return: the value, and warnings of keys that are unknown or have no effect.
    :raise ConfigurationError: with every problem, each with its key's path.
    """
    return read(mapping).result()
