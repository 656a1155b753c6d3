"""``storage``: one driver, and settings common to all drivers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from txregistry.config.declare import LIVE, no_effect, section, setting
from txregistry.config.fields import Duration, Size


@attrs.frozen
class Filesystem:
    """``storage.filesystem``: the names of its keys."""

    rootdirectory: str = setting(
        "/var/lib/registry", "Directory in which everything is stored.", "2.0"
    )
    maxthreads: int = setting(
        16,
        "Number of threads that read and write blobs.",
        "2.5",
        unit="threads",
        minimum=1,
    )
    directwrites: bool = setting(
        True,
        "Write uploads past the page cache where the file system supports it; set "
        "to false for disks that are slow at synchronous writes.",
    )
    shared: bool = setting(
        False,
        "Other processes or machines use the directory as well; all of them set this.",
    )


@attrs.frozen
class InMemory:
    """``storage.inmemory``: it has no keys."""


@attrs.frozen
class DescriptorCache:
    """``storage.cache``."""

    blobdescriptor: str = setting(
        "",
        "Where descriptors of blobs are cached.",
        "2.1",
        unset="none",
        choices=("", "inmemory", "redis"),
    )
    layerinfo: str = setting("", "", "2.0", newer="storage.cache.blobdescriptor")
    blobdescriptorsize: int = setting(
        10000,
        "Maximum number of descriptors cached in memory; 0 for no limit.",
        "3.0",
        unit="descriptors",
        minimum=0,
    )


@attrs.frozen
class DeleteSection:
    """``storage.delete``."""

    enabled: bool = setting(
        False, "Allow clients to delete blobs, manifests and tags.", "2.1"
    )


@attrs.frozen
class Redirect:
    """``storage.redirect``: where clients read blobs from."""

    disable: bool = setting(
        False,
        "Never send clients to the storage: every blob comes through this process.",
        "2.1",
    )


@attrs.frozen
class ReadOnly:
    """``storage.maintenance.readonly``."""

    enabled: bool = setting(
        False, "Refuse all requests that change something, with 405.", "2.2"
    )


@attrs.frozen
class UploadPurgingSection:
    """``storage.maintenance.uploadpurging``: the purge of abandoned uploads."""

    enabled: bool = setting(True, "Delete abandoned uploads.", "2.1")
    age: Duration = setting(
        Duration(168 * 3600.0), "Age after which an upload is abandoned.", "2.1"
    )
    interval: Duration = setting(
        Duration(24 * 3600.0), "Time between two purges.", "2.1"
    )
    dryrun: bool = setting(False, "Only log what would be deleted.", "2.1")


@attrs.frozen
class ScrubSection:
    """``storage.maintenance.scrub``: all that is stored is read every so often."""

    enabled: bool = setting(
        False,
        "Read all stored content regularly; what does not match its digest is set"
        " aside, and a cache fetches it again. A restart resumes.",
    )
    interval: Duration = setting(
        Duration(30 * 24 * 3600.0),
        "Time from the start of a pass to the start of the next; at least 1h.",
    )
    rate: Size = setting(
        Size(20 * 1024 * 1024),
        "Maximum rate of reading; 0 for no limit.",
        unit="bytes per second",
    )


@attrs.frozen
class Maintenance:
    """``storage.maintenance``."""

    uploadpurging: UploadPurgingSection = section(
        UploadPurgingSection, "Purge of abandoned uploads.", "2.1"
    )
    readonly: ReadOnly = section(ReadOnly, "Read-only mode.", "2.2")
    scrub: ScrubSection = section(ScrubSection, "Verification of stored content.")


@attrs.frozen
class ResumableDigest:
    """``storage.resumabledigest``: hash states beside an upload."""

    enabled: bool = setting(
        True, "Store the state of digests beside an upload, as Docker's registry does."
    )


@attrs.frozen
class Storage:
    """``storage``: one driver and settings common to all drivers."""

    driver: str
    parameters: Mapping[str, object] = attrs.field(factory=dict)
    cache: DescriptorCache = section(
        DescriptorCache, "Cache of blob descriptors.", "2.0"
    )
    delete: DeleteSection = section(
        DeleteSection, "Deletion by clients.", "2.1", restart=LIVE
    )
    redirect: Redirect = section(
        Redirect,
        "Redirects of clients to URLs of the storage or its middleware.",
        "2.1",
        restart=LIVE,
    )
    maintenance: Maintenance = section(Maintenance, "Maintenance.", "2.1", restart=LIVE)
    tag: object = no_effect(
        "tags are looked up in an index, not by many reads",
        "concurrencylimit: number of tags that are read at once.",
        "3.0",
    )
    resumabledigest: ResumableDigest = section(
        ResumableDigest, "Resumable digests of uploads."
    )
    statedirectory: str = setting(
        "",
        "Local directory for files of this one process: databases, downloads, control"
        " socket.",
        unset="txregistry in the storage directory; where storage is shared or no"
        " directory, $STATE_DIRECTORY, else none",
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
    "filesystem": "Directory of a file system, in the layout of Docker distribution.",
    "inmemory": "Memory of the process, for tests. It has no keys.",
}
