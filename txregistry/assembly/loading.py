"""Load the configuration as a start does: with the files that it names looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from txregistry.assembly.makers import maker_problems, maker_warnings
from txregistry.assembly.namedfiles import file_problems
from txregistry.assembly.reading import Loaded, read_sources
from txregistry.config.model import Config
from txregistry.config.read import ConfigurationError


def load(
    path: str | None, environment: Mapping[str, str], is_service: bool = True
) -> tuple[Config, list[str]]:
    """Load the configuration; see :func:`examine`.

    :return: the configuration and warnings about it.
    :raise ConfigurationError: with every problem.
    """
    found = examine(path, environment, is_service)
    if found.problems:
        raise ConfigurationError(found.problems)
    return found.config, found.warnings


def examine(
    path: str | None, environment: Mapping[str, str], is_service: bool = True
) -> Loaded:
    """Load the configuration, usable or not; blocks.

    The arguments are those of :func:`txregistry.assembly.reading.read_sources`.

    :raise ConfigurationError: the file cannot be read.
    """

    def look_around(config: Config) -> Iterator[str]:
        yield from maker_problems(config)
        yield from file_problems(config, environment)

    found = read_sources(path, environment, is_service, look_around)
    return attrs.evolve(found, warnings=found.warnings + maker_warnings(found.config))
