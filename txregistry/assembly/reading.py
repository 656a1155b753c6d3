"""Read the configuration from a file and the environment, and look at nothing else.

It is all that commands need which talk to a daemon, so this imports no part of one; see
``loading`` for the files that a configuration names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping

import attrs

from txregistry.assembly.yamltext import Document, parse_yaml, read_text
from txregistry.auth.offered import ACCESS_CONTROLLERS
from txregistry.config.defaults import EMBEDDED
from txregistry.config.environment import Overridden, Override
from txregistry.config.files import Files, FileText, Filled, expand
from txregistry.config.keypaths import is_within, path_of
from txregistry.config.model import Config
from txregistry.config.origins import Origins
from txregistry.config.read import ConfigurationError, Reading, read
from txregistry.config.storage import ELSEWHERE
from txregistry.storagedriver.offered import STORAGE_DRIVERS

#: Leave to read for all users of the machine.
_ALL_USERS = 0o004


@attrs.frozen
class Loaded:
    """What a file and the environment come to, usable or not.

    :ivar config: has defaults for what cannot be used.
    :ivar problems: one line each, which begins with a key's path or a variable.
    :ivar origins: where values come from.
    """

    config: Config
    problems: list[str]
    warnings: list[str]
    origins: Origins


#: Finds further problems of a configuration.
LookAround = Callable[[Config], Iterator[str]]


def read_sources(
    path: str | None,
    environment: Mapping[str, str],
    is_service: bool = True,
    look_around: LookAround = lambda config: iter(()),
) -> Loaded:
    """Read the configuration from a file and the environment; blocks.

    :param path: empty for that of ``REGISTRY_CONFIGURATION_PATH``, and without it for a
        cache of Docker Hub.
    :param is_service: what systemd provides for the service has to be there; a command
        of somebody else warns instead, and goes on without.
    :param look_around: finds problems of what the configuration names.
    :raise ConfigurationError: the file cannot be read.
    """
    path = path or environment.get("REGISTRY_CONFIGURATION_PATH")
    document = Document(EMBEDDED) if path is None else _read_file(path)
    if not isinstance(document.value, Mapping):
        raise ConfigurationError([f"{path}: expected a mapping of keys"])
    overridden = _override(environment).apply(document.value, environment)
    filled = Files(_read_secret, environment, is_service).fill(overridden.mapping)
    reading = read(filled.mapping)
    config = reading.config
    reading.tell(_no_driver(config.storage.driver))
    reading.tell(_not_offered("auth", config.auth.controller, ACCESS_CONTROLLERS))
    reading.tell(look_around(config))
    origins = Origins(
        path, document.lines, overridden.origins, filled.sources, filled.skipped
    )
    return Loaded(
        reading.config,
        _problems(overridden, filled, reading),
        overridden.warnings + filled.warnings + reading.warnings,
        origins,
    )


def _override(environment: Mapping[str, str]) -> Override:
    return Override(
        lambda text: parse_yaml(text).value,
        lambda path: read_text(expand(path, environment)),
        lambda: {*STORAGE_DRIVERS, *ACCESS_CONTROLLERS},
    )


def _problems(overridden: Overridden, filled: Filled, reading: Reading) -> list[str]:
    """Give all problems, those of the environment first."""
    known = filled.skipped + [path_of(problem) for problem in filled.problems]
    others = [
        problem
        for problem in reading.problems
        if not any(is_within(path_of(problem), path) for path in known)
    ]
    told = [overridden.with_origin(problem) for problem in filled.problems + others]
    return overridden.problems + told


_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_-]{0,19}")


def _no_driver(name: str) -> list[str]:
    if name in ELSEWHERE and name not in STORAGE_DRIVERS:
        return [f"storage.{name}: {ELSEWHERE[name]}"]
    return _not_offered("storage", name, STORAGE_DRIVERS)


def _not_offered(section: str, name: str, offered: Collection[str]) -> list[str]:
    if not name or name in offered:
        return []
    # A value that is not like a name may be a secret of another program.
    told = f"{section}.{name}" if _PLAIN_NAME.fullmatch(name) else section
    return [f"{told}: expected {' or '.join(sorted(offered))}"]


def _read_file(path: str) -> Document:
    try:
        return parse_yaml(read_text(path))
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigurationError([f"{path}: is not YAML: {error}"]) from error


def _read_secret(path: str) -> FileText:
    mode = os.stat(path).st_mode
    return FileText(read_text(path), bool(mode & _ALL_USERS))
