"""``storage``: one driver, and settings common to all drivers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from txregistry.config.declare import LIVE, no_effect, section, setting
from txregistry.config.fields import Duration


@attrs.frozen
class Filesystem:
    """``storage.filesystem``: the names of its keys."""

    rootdirectory: str = setting(
        "/var/lib/registry", "The directory of everything that is stored.", "2.0"
    )
    maxthreads: int = setting(
        16, "Threads that read and write blobs.", "2.5", unit="threads", minimum=1
    )
    directwrites: bool = setting(
        True,
        "Uploads go to the disk past the page cache, where the file system can; false"
        " for disks that are slow when asked to write at once.",
    )


@attrs.frozen
class InMemory:
    """``storage.inmemory``: it has no keys."""


@attrs.frozen
class DescriptorCache:
    """``storage.cache``."""

    blobdescriptor: str = setting(
        "",
        "Where it is remembered which blobs there are.",
        "2.1",
        unset="none",
        choices=("", "inmemory", "redis"),
    )
    layerinfo: str = setting("", "", "2.0", newer="storage.cache.blobdescriptor")
    blobdescriptorsize: int = setting(
        10000,
        "How many are remembered in memory; 0 for no limit.",
        "3.0",
        unit="descriptors",
        minimum=0,
    )


@attrs.frozen
class DeleteSection:
    """``storage.delete``."""

    enabled: bool = setting(
        False, "Let clients delete blobs, manifests and tags.", "2.1"
    )


@attrs.frozen
class Redirect:
    """``storage.redirect``; no driver of this release can redirect."""

    disable: bool = setting(
        False, "Never send clients to the storage; no driver here does so.", "2.1"
    )


@attrs.frozen
class ReadOnly:
    """``storage.maintenance.readonly``."""

    enabled: bool = setting(
        False, "Refuse all that changes something, with 405.", "2.2"
    )


@attrs.frozen
class UploadPurgingSection:
    """``storage.maintenance.uploadpurging``: the purge of abandoned uploads."""

    enabled: bool = setting(True, "Delete uploads that nobody goes on with.", "2.1")
    age: Duration = setting(
        Duration(168 * 3600.0), "How long ago such an upload was begun.", "2.1"
    )
    interval: Duration = setting(
        Duration(24 * 3600.0), "The time from one purge to the next.", "2.1"
    )
    dryrun: bool = setting(False, "Delete nothing, say what would go.", "2.1")


@attrs.frozen
class Maintenance:
    """``storage.maintenance``."""

    uploadpurging: UploadPurgingSection = section(
        UploadPurgingSection, "The purge of abandoned uploads.", "2.1"
    )
    readonly: ReadOnly = section(ReadOnly, "A registry that nobody changes.", "2.2")


@attrs.frozen
class ResumableDigest:
    """``storage.resumabledigest``: hash states beside an upload."""

    enabled: bool = setting(
        True, "Keep states of digests beside an upload, as the Go registry does."
    )


@attrs.frozen
class Storage:
    """``storage``: one driver and settings common to all drivers."""

    driver: str
    parameters: Mapping[str, object] = attrs.field(factory=dict)
    cache: DescriptorCache = section(
        DescriptorCache, "The cache of descriptors of blobs.", "2.0"
    )
    delete: DeleteSection = section(DeleteSection, "Deletes.", "2.1", restart=LIVE)
    redirect: Redirect = section(
        Redirect, "Answers that refer to the storage.", "2.1", restart=LIVE
    )
    maintenance: Maintenance = section(
        Maintenance, "Upkeep, and read-only operation.", "2.1", restart=LIVE
    )
    tag: object = no_effect(
        "tags are looked up in an index, not by many reads",
        "concurrencylimit: how many tags are read at once.",
        "3.0",
    )
    resumabledigest: ResumableDigest = section(
        ResumableDigest, "Hash states of uploads."
    )


_SECTIONS = frozenset(field.name for field in attrs.fields(Storage)) - {
    "driver",
    "parameters",
}


def is_driver(name: str) -> bool:
    """Tell if a key of the section is the name of a driver."""
    return name not in _SECTIONS


#: The parameters of the storage drivers that come with the house.
DRIVERS: Mapping[str, type[Any]] = {"filesystem": Filesystem, "inmemory": InMemory}

#: What each of them is.
DRIVER_DOCS: Mapping[str, str] = {
    "filesystem": "A directory, laid out as by Docker distribution.",
    "inmemory": "The memory of the process, for tests; it has no keys.",
}
