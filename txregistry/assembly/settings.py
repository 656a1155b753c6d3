"""Turn sections of the configuration into settings of the rooms."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping

from txregistry.config.model import Config
from txregistry.config.proxy import Proxy
from txregistry.config.storage import UploadPurgingSection
from txregistry.daemon.secret import Secret
from txregistry.remote.origin import Origin
from txregistry.remote.transport import TlsFiles
from txregistry.spec.descriptor import Platform
from txregistry.spec.gate import Gate
from txregistry.spec.manifest.push import PushPolicy
from txregistry.storage.tree import layout
from txregistry.storage.uploads.purge import PurgePlan
from txregistry.web.api import ApiSettings
from txregistry.web.http.channels import ChannelLimits
from txregistry.web.urls import Urls


def api_settings(config: Config, secret: Callable[[], bytes]) -> ApiSettings:
    """Give the settings of the API.

    :param secret: called on each use; see :class:`ApiSettings`.
    """
    http = config.http
    prefix = http.prefix.strip("/")
    return ApiSettings(
        secret=secret,
        urls=Urls(
            http.host,
            f"/{prefix}" if prefix else "",
            http.relativeurls,
        ),
        gate=Gate(
            bool(config.proxy.remoteurl),
            config.storage.maintenance.readonly.enabled,
            config.storage.delete.enabled,
        ),
        policy=push_policy(config),
        max_upload_bytes=http.limits.uploadbytes,
        max_uploads_per_user=http.limits.uploads.peruser,
        max_uploads=http.limits.uploads.total,
        upload_lifetime=_upload_lifetime(config.storage.maintenance.uploadpurging),
        max_tags=config.tags.maxtags,
        max_repositories=config.catalog.maxentries,
        strict_catalog=config.catalog.strict,
        redirects=not config.storage.redirect.disable,
    )


def _upload_lifetime(purging: UploadPurgingSection) -> float:
    is_purged = purging.enabled and not purging.dryrun
    return float(purging.age) if is_purged else 0.0


def make_secret(config: Config) -> Secret:
    """Make the secret; it is kept in a file if none is configured."""
    # A cache has no uploads to seal.
    path = "" if config.proxy.remoteurl else own_path(config, "secret", "")
    return Secret(config.http.secret.encode("utf-8"), path)


def push_policy(config: Config) -> PushPolicy:
    """Give the policy for pushed manifests."""
    manifests = config.validation.manifests
    return PushPolicy(
        config.validation.disabled,
        manifests.urls.allow,
        manifests.urls.deny,
        manifests.indexes.platforms,
        frozenset(
            Platform(item.architecture, item.os)
            for item in manifests.indexes.platformlist
        ),
        config.policy.repository.classes,
        config.compatibility.schema1.enabled,
    )


def channel_limits(config: Config) -> ChannelLimits:
    """Give the limits of one connection."""
    limits = config.http.limits
    return ChannelLimits(
        limits.headerbytes,
        limits.headertime,
        limits.idletime,
        limits.stalltime,
        limits.connections,
        limits.streams,
        limits.minrate,
    )


def offers_http2(config: Config) -> bool:
    """Tell if HTTP/2 is offered on TLS."""
    return bool(config.http.tls.certificate) and not config.http.http2.disabled


def purge_plan(config: Config, first_delay: float) -> PurgePlan:
    """Give when uploads are purged.

    :param first_delay: seconds to the first purge.
    """
    purging = config.storage.maintenance.uploadpurging
    return PurgePlan(
        first_delay,
        purging.interval,
        purging.age,
        purging.dryrun,
        purging.enabled,
    )


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


def upstream_name(proxy: Proxy) -> str:
    """Give the upstream's name in metrics: host and port, or empty without one."""
    return Origin.of(proxy.remoteurl).authority if proxy.remoteurl else ""


def read_tls_files(proxy: Proxy) -> TlsFiles:
    """Read an upstream's authorities, and our client certificate.

    :raise OSError: a file cannot be read.
    """
    return TlsFiles(
        read_optional(proxy.tls.ca),
        read_optional(proxy.tls.certificate),
        read_optional(proxy.tls.key),
        proxy.tls.insecure,
    )


def read_optional(path: str) -> bytes:
    """Read a file, if one is configured.

    :raise OSError: it cannot be read.
    """
    if not path:
        return b""
    with open(path, "rb") as file:
        return file.read()
