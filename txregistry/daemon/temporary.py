"""A directory that is there while the daemon runs."""

from __future__ import annotations

import os
import shutil

import attrs
from twisted.application.service import Service


@attrs.define(eq=False, slots=False)
class TemporaryDirectory(Service):
    """Makes a directory for nobody else, and deletes it with all that is in it.

    :param path: must not exist.
    """

    _path: str

    def startService(self) -> None:
        """Make it; fails with ``OSError``."""
        super().startService()
        os.mkdir(self._path, 0o700)

    def stopService(self) -> None:
        """Delete it; what cannot be deleted stays."""
        super().stopService()
        shutil.rmtree(self._path, ignore_errors=True)
