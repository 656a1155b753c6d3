"""Whether the storage takes a file."""

from __future__ import annotations

import uuid

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import IStorageDriver
from txregistry.storage.tree import layout


@deferred
async def probe(driver: IStorageDriver) -> None:
    """Write and delete an empty file; fails with the driver's ``DriverError``.

    It has a new name each time, as others may probe the same storage at the same time.
    One that a crash leaves is swept like a write that was cut off.
    """
    path = f"{layout.OWN}/writable.{uuid.uuid4()}.tmp"
    await driver.put(path=path, content=b"")
    await driver.delete(path=path)
