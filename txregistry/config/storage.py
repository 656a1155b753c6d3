"""``storage``: one driver, and settings common to all drivers."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.fields import Duration, Size, no_effect, section


@attrs.frozen
class Filesystem:
    """``storage.filesystem``: the names of its keys."""

    rootdirectory: str = "/var/lib/registry"
    maxthreads: int = 16
    directwrites: bool = True


@attrs.frozen
class DescriptorCache:
    """``storage.cache``."""

    blobdescriptor: str = ""
    layerinfo: str = ""
    blobdescriptorsize: int = 10000


@attrs.frozen
class DeleteSection:
    """``storage.delete``."""

    enabled: bool = False


@attrs.frozen
class Redirect:
    """``storage.redirect``; no driver of this release can redirect."""

    disable: bool = False


@attrs.frozen
class ReadOnly:
    """``storage.maintenance.readonly``."""

    enabled: bool = False


@attrs.frozen
class UploadPurgingSection:
    """``storage.maintenance.uploadpurging``: the purge of abandoned uploads."""

    enabled: bool = True
    age: Duration = Duration(168 * 3600.0)
    interval: Duration = Duration(24 * 3600.0)
    dryrun: bool = False


@attrs.frozen
class ScrubSection:
    """``storage.maintenance.scrub``: all that is stored is read every so often.

    :ivar interval: from the begin of a pass to that of the next.
    :ivar rate: bytes per second; 0 for no limit.
    """

    enabled: bool = False
    interval: Duration = Duration(30 * 24 * 3600.0)
    rate: Size = Size(20 * 1024 * 1024)


@attrs.frozen
class Maintenance:
    """``storage.maintenance``."""

    uploadpurging: UploadPurgingSection = section(UploadPurgingSection)
    readonly: ReadOnly = section(ReadOnly)
    scrub: ScrubSection = section(ScrubSection)


@attrs.frozen
class ResumableDigest:
    """``storage.resumabledigest``: hash states beside an upload."""

    enabled: bool = True


@attrs.frozen
class Storage:
    """``storage``: one driver and settings common to all drivers."""

    driver: str
    parameters: Mapping[str, object] = attrs.field(factory=dict)
    cache: DescriptorCache = section(DescriptorCache)
    delete: DeleteSection = section(DeleteSection)
    redirect: Redirect = section(Redirect)
    maintenance: Maintenance = section(Maintenance)
    tag: object = no_effect("tags are looked up in an index, not by many reads")
    resumabledigest: ResumableDigest = section(ResumableDigest)
