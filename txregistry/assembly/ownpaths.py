"""Where the files of a daemon's own are, as its configuration says.

Some are for all processes that use a storage directory, most are of one process.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

from txregistry.config.model import Config
from txregistry.storage.tree import layout


def storage_directory(config: Config) -> str:
    """Give the directory of the storage; empty if it is none."""
    root = config.storage.directory
    return os.path.abspath(root) if root else ""


def beside_the_tree(config: Config, name: str) -> str:
    """Give the path of a file for all processes of a storage directory.

    Empty if the storage is no directory.
    """
    directory = storage_directory(config)
    return f"{directory}{layout.OWN}/{name}" if directory else ""


def state_directory(
    config: Config, environment: Mapping[str, str] | None = None
) -> str:
    """Give the local directory for the files of this one process; empty for none.

    :param environment: has ``STATE_DIRECTORY`` under systemd; by default that of the
        process.
    """
    root = storage_directory(config)
    if config.storage.statedirectory:
        return os.path.abspath(config.storage.statedirectory)
    if config.storage.is_exclusive:
        return root + layout.OWN
    variables = os.environ if environment is None else environment
    given = [path for path in variables.get("STATE_DIRECTORY", "").split(":") if path]
    # That of a service may hold the storage itself.
    apart = [path for path in given if path != root]
    return next(iter(apart), root + layout.OWN if given else "")


def own_path(
    config: Config,
    name: str,
    elsewhere: str = ":memory:",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Give the path of a file of this one process.

    :param elsewhere: returned if there is no directory for such files.
    :param environment: see :func:`state_directory`.
    """
    directory = state_directory(config, environment)
    return f"{directory}/{name}" if directory else elsewhere


def control_socket(path: str, environment: Mapping[str, str]) -> str:
    """Give the path of the control socket: in the unit's RuntimeDirectory=, if any.

    :param path: in the storage directory; a link stands there if it is elsewhere.
    """
    directory = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    # A link that a crash left in another storage must not lead to this daemon.
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    return f"{directory}/control-{name}.sock" if directory else path
