"""Local files for downloads that cannot lie in the storage until they are complete."""

from __future__ import annotations

import os
import uuid

import attrs
from twisted.application.service import Service

from txregistry.assembly.context import Context
from txregistry.assembly.ownpaths import own_path
from txregistry.daemon.temporary import TemporaryDirectory
from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import IStorageDriver
from txregistry.storage.uploads.arrivals import needs_spool


@attrs.frozen
class Spool:
    """Files for downloads, and the services that they need.

    :ivar files: ``None`` if downloads lie in the storage.
    """

    files: IStorageDriver | None = None
    services: tuple[Service, ...] = ()


def make_spool(context: Context, driver: IStorageDriver, disk: Disk) -> Spool:
    """Make the spool of a cache; touches no file yet.

    It lies in the directory of this process. Without one it is temporary: what was not
    complete at a stop is downloaded again.
    """
    if not (context.config.proxy.is_cache and needs_spool(driver)):
        return Spool()
    import tempfile

    from txregistry.storagedriver.filesystem.driver import FilesystemDriver

    kept = own_path(context.config, "spool", "", context.environment)
    if kept:
        return Spool(FilesystemDriver(kept, disk))
    path = os.path.join(tempfile.gettempdir(), f"txregistry-{uuid.uuid4()}")
    return Spool(FilesystemDriver(path, disk), (TemporaryDirectory(path),))
