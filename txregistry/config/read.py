"""From an untyped mapping to a :class:`Config`, collecting every problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from txregistry.config.aliases import apply_aliases
from txregistry.config.check import check, remarks
from txregistry.config.inherit import inherit
from txregistry.config.keypaths import is_within, path_of
from txregistry.config.model import Config
from txregistry.config.reader import Reader, placeholder

#: Exit status for an unusable configuration (sysexits, EX_CONFIG).
EX_CONFIG = 78


class ConfigurationError(Exception):
    """The configuration cannot be used; one line per problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@attrs.define
class Reading:
    """The result of reading a mapping.

    :ivar config: has defaults for unreadable values.
    :ivar problems: one line each, which begins with its key's path.
    :ivar warnings: of keys that are unknown, or have no effect or an unexpected one.
    """

    config: Config
    problems: list[str]
    warnings: list[str]

    def tell(self, problems: Iterable[str]) -> None:
        """Add problems, except those that may follow from a known one.

        A known problem of a key may explain one of its section. A known problem of a
        section does not explain those of its keys, which have their defaults.
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


def read(mapping: object) -> Reading:
    """Read the configuration, even if it has problems."""
    reader, inherited = Reader(), inherit(mapping)
    found = reader.section(Config, inherited.mapping, "")
    if not isinstance(mapping, Mapping):
        return Reading(placeholder(Config), reader.problems, reader.warnings)
    config, told = apply_aliases(found), inherited.told
    warnings = told(reader.warnings) + remarks(config)
    reading = Reading(config, told(reader.problems), warnings)
    reading.tell(told(check(config)))
    return reading


def read_config(mapping: object) -> tuple[Config, list[str]]:
    """Read the configuration.

    :return: the value, and warnings of keys that are unknown or have no effect.
    :raise ConfigurationError: with every problem, each with its key's path.
    """
    return read(mapping).result()
