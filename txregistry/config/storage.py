"""``storage``: one driver, and settings common to all drivers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from txregistry.config.declare import (
    LIVE,
    no_effect,
    required,
    secret,
    section,
    setting,
)
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
class S3:
    """``storage.s3``: objects of a bucket."""

    bucket: str = required("Bucket, which has to be there.", "2.0")
    region: str = required(
        "Region that requests are signed for; most servers but Amazon's take any.",
        "2.0",
    )
    accesskey: str = secret(
        "",
        "Access key.",
        "2.0",
        unset="what the variables of Amazon's tools, their files or the machine say",
    )
    secretkey: str = secret("", "Secret key.", "2.0")
    sessiontoken: str = secret("", "Token of temporary credentials.")
    regionendpoint: str = setting(
        "", "URL of a server other than Amazon's.", "2.2", unset="Amazon's for region"
    )
    forcepathstyle: bool | None = setting(
        None,
        "Name the bucket in the path of URLs, not in the name of the host.",
        "2.8",
        unset="true with regionendpoint",
    )
    redirectendpoint: str = setting(
        "",
        "Scheme and host of URLs that clients are sent to, which are signed for them.",
        "3.2",
        unset="as the registry asks",
    )
    accelerate: bool = setting(False, "Use Amazon's transfer acceleration.", "3.0")
    usedualstack: bool = setting(
        False, "Use Amazon's hosts that have IPv6 as well.", "3.0"
    )
    usefipsendpoint: bool = setting(
        False, "Use Amazon's hosts with FIPS cryptography.", "3.1"
    )
    secure: bool = setting(True, "Use https where the URL does not say.", "2.0")
    skipverify: bool = setting(False, "Believe any certificate of the server.", "2.7")
    v4auth: bool = setting(
        True, "Sign by version 4, which is the only one; false is refused.", "2.0"
    )
    encrypt: bool = setting(False, "Have the server encrypt what it stores.", "2.0")
    keyid: str = setting(
        "", "Key of Amazon's KMS to encrypt with.", "2.3", unset="the server's own"
    )
    chunksize: Size = setting(
        Size(10 * 1024 * 1024),
        "Size of the parts that uploads are stored in; at least 5 MiB. Two are in "
        "memory for each upload; many uploads at once have smaller ones.",
        "2.0",
        unit="bytes",
        minimum=5 * 1024 * 1024,
    )
    multipartcopychunksize: Size = setting(
        Size(32 * 1024 * 1024),
        "Size of the parts in which large blobs are copied by the server.",
        "2.7",
        unit="bytes",
        minimum=5 * 1024 * 1024,
    )
    multipartcopymaxconcurrency: int = setting(
        100, "Number of parts that are copied at once.", "2.7", minimum=1
    )
    multipartcopythresholdsize: Size = setting(
        Size(32 * 1024 * 1024),
        "Size above which a blob is copied in parts; at most 5 GiB.",
        "2.7",
        unit="bytes",
    )
    rootdirectory: str = setting(
        "", "What all keys begin with.", "2.0", unset="nothing"
    )
    storageclass: str = setting(
        "STANDARD",
        "Storage class of objects; NONE names none, for servers that know none.",
        "2.3",
    )
    objectacl: str = setting("private", "Canned ACL of objects.", "2.7")
    useragent: str = setting("", "User-Agent of requests.", "2.5", unset="our own")
    loglevel: str = setting(
        "off",
        "Log requests to the server: off, or any other for a line for each.",
        "3.0",
        choices=(
            "off",
            "debug",
            "debugwithsigning",
            "debugwithhttpbody",
            "debugwithrequestretries",
            "debugwithrequesterrors",
            "debugwitheventstreambody",
        ),
    )


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

    @property
    def directory(self) -> str:
        """Give the root directory as it was given; empty if the storage is none."""
        if self.driver != "filesystem":
            return ""
        return str(self.parameters.get("rootdirectory", Filesystem().rootdirectory))

    @property
    def is_exclusive(self) -> bool:
        """Tell whether it is a directory that one process has to itself."""
        return bool(self.directory) and not self.parameters.get("shared", False)


_SECTIONS = frozenset(field.name for field in attrs.fields(Storage)) - {
    "driver",
    "parameters",
}


def is_driver(name: str) -> bool:
    """Tell if a key of the section is the name of a driver."""
    return name not in _SECTIONS


#: The parameters of the storage drivers that come with the house.
DRIVERS: Mapping[str, type[Any]] = {
    "filesystem": Filesystem,
    "inmemory": InMemory,
    "s3": S3,
}

#: Other names of drivers.
DRIVER_ALIASES: Mapping[str, str] = {"s3aws": "s3"}

#: The parameters of those drivers, by each name that one of them may have.
NAMED_DRIVERS: Mapping[str, type[Any]] = {
    **DRIVERS,
    **{alias: DRIVERS[name] for alias, name in DRIVER_ALIASES.items()},
}

#: Drivers of Docker's registry that are not here, and what to do instead.
ELSEWHERE: Mapping[str, str] = {
    "s3goamz": "name it s3; the keys are the same",
    "gcs": "use s3 with regionendpoint https://storage.googleapis.com and an HMAC key"
    " of a service account; the objects are found where they are",
    "azure": "Azure does not speak S3: copy the container to a store that does, or to a"
    " directory that filesystem uses",
    "oss": "use s3 with the S3-compatible endpoint of the region, and"
    " forcepathstyle: false",
    "swift": "use s3 with the s3api endpoint of Swift, and copy the container there:"
    " large objects are kept otherwise",
    "rados": "use s3 with Ceph's object gateway, and copy the pool there",
}

#: What each of them is.
DRIVER_DOCS: Mapping[str, str] = {
    "filesystem": "Directory of a file system, in the layout of Docker distribution.",
    "inmemory": "Memory of the process, for tests. It has no keys.",
    "s3": "Bucket of Amazon S3, or of a server that speaks its protocol.",
}
