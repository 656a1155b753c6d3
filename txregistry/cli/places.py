"""Which configuration a command is about.

Note [Light commands]. Who asks a daemon wants an answer, not the daemon's parts: a
container is asked for its health every minute, all its life. So what such a command
imports is the reader of the configuration and a socket; what needs more is imported by
the command that turns out to do it. ``tests/test_light.py`` holds the table.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from txregistry.assembly.ownpaths import own_path
from txregistry.assembly.reading import Loaded, read_sources
from txregistry.cli.exits import fail
from txregistry.config.read import EX_CONFIG, ConfigurationError

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
    return found or (INSTALLED if _is_installed() else None)


def _is_installed() -> bool:
    """Tell if the service has a configuration, also if this user may not look."""
    try:
        os.stat(INSTALLED)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def name_of(path: str | None) -> str:
    """Name the file in a message."""
    return path or "the built-in configuration"


def read_only(path: str | None) -> Loaded:
    """Read a configuration, and none of the files that it names.

    It is all that the client of a daemon needs: see Note [Light commands].

    :raise ConfigurationError: the file is no YAML or cannot be read.
    """
    return read_sources(path, os.environ, is_service=False)


def examined(path: str | None) -> Loaded:
    """Read a configuration with all its problems.

    :raise ConfigurationError: the file is no YAML or cannot be read.
    """
    from txregistry.assembly.loading import examine

    return examine(path, os.environ, is_service=False)


def usable(path: str | None, as_json: bool = False) -> Loaded:
    """Read a configuration, and none of the files that it names.

    Ends with status 78 if it cannot be used.
    """
    return _without_problems(read_only, path, as_json)


def usable_storage(path: str | None, as_json: bool = False) -> Loaded:
    """Read the configuration of a storage, for a daemon or for work without one.

    Ends with status 78 if it cannot be used; the files that it names are looked at
    where no daemon has left a control socket.
    """
    found = usable(path, as_json)
    if os.path.exists(own_path(found.config, "control.sock", "")):
        return found
    return _without_problems(examined, path, as_json)


def _without_problems(
    read: Callable[[str | None], Loaded], path: str | None, as_json: bool
) -> Loaded:
    try:
        found = read(path)
        problems = found.problems
    except ConfigurationError as error:
        problems = error.problems
    if problems:
        fail(f"{name_of(path)} cannot be used", as_json, EX_CONFIG, problems)
    return found
