"""Where the files of a daemon's own are, as its configuration says."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

from txregistry.config.model import Config
from txregistry.storage.tree import layout


def own_path(config: Config, name: str, elsewhere: str = ":memory:") -> str:
    """Give the path of a file of ours, in the storage directory.

    :param elsewhere: returned if the storage is not a directory.
    """
    if config.storage.driver != "filesystem":
        return elsewhere
    root = str(config.storage.parameters.get("rootdirectory", "/var/lib/registry"))
    return os.path.abspath(root) + f"{layout.OWN}/{name}"


def control_socket(path: str, environment: Mapping[str, str]) -> str:
    """Give the path of the control socket: in the unit's RuntimeDirectory=, if any.

    :param path: in the storage directory; a link stands there if it is elsewhere.
    """
    directory = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    # A link that a crash left in another storage must not lead to this daemon.
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    return f"{directory}/control-{name}.sock" if directory else path
