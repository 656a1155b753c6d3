"""The storage drivers by name (Note [Named, then imported] in ``flow/offered``)."""

from __future__ import annotations

from txregistry.flow.offered import Offered

#: Each is called as ``(parameters, disk, clock)``.
STORAGE_DRIVERS = Offered(
    "txregistry.storage_drivers",
    {
        "filesystem": "txregistry.storagedriver.filesystem.driver:filesystem",
        "inmemory": "txregistry.storagedriver.inmemory:inmemory",
        "s3": "txregistry.storagedriver.maker:s3",
    },
)
