"""Which configuration a command is about."""

from __future__ import annotations

import os
from typing import Any

import click

from txregistry.assembly.loading import EX_CONFIG, Loaded, examine
from txregistry.cli.exits import fail
from txregistry.config.read import ConfigurationError

#: Where the package has the configuration of its service.
INSTALLED = "/etc/txregistry/config.yml"


def config_argument(command: Any) -> Any:
    """Add the argument ``[FILE]`` to a command."""
    path = click.Path(exists=True, dir_okay=False, readable=True)
    return click.argument("file", required=False, type=path)(command)


def place_of(file: str | None) -> str | None:
    """Give the file that is meant; none for a cache of Docker Hub without one.

    Without an argument it is that of the variable, or the one of the service.
    """
    found = file or os.environ.get("REGISTRY_CONFIGURATION_PATH")
    return found or (INSTALLED if os.path.exists(INSTALLED) else None)


def name_of(path: str | None) -> str:
    """Name the file in a message."""
    return path or "the built-in configuration"


def examined(path: str | None) -> Loaded:
    """Read a configuration with all its problems.

    :raise ConfigurationError: the file is no YAML or cannot be read.
    """
    return examine(path, os.environ, is_service=False)


def usable(path: str | None, as_json: bool = False) -> Loaded:
    """Read a configuration; end with status 78 if it cannot be used."""
    try:
        found = examined(path)
        problems = found.problems
    except ConfigurationError as error:
        problems = error.problems
    if problems:
        fail(f"{name_of(path)} cannot be used", as_json, EX_CONFIG, problems)
    return found
