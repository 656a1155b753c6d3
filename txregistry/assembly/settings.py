"""Turn sections of the configuration into settings of the rooms."""

from __future__ import annotations

from collections.abc import Callable

from txregistry.assembly.ownpaths import beside_the_tree
from txregistry.assembly.upstreams import upstream_table
from txregistry.config.model import Config
from txregistry.config.storage import UploadPurgingSection
from txregistry.daemon.secret import Secret
from txregistry.spec.descriptor import Platform
from txregistry.spec.gate import Gate
from txregistry.spec.manifest.push import PushPolicy
from txregistry.storage.uploads.purge import PurgePlan
from txregistry.web.api import ApiSettings
from txregistry.web.http.connections import ChannelLimits
from txregistry.web.http.serving import Http2Use
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
            config.storage.maintenance.readonly.enabled,
            config.storage.delete.enabled,
        ),
        upstreams=upstream_table(config.proxy),
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


def make_secret(config: Config, is_shared: bool) -> Secret:
    """Make the secret; it is kept in a file if none is configured.

    :param is_shared: others, which need the same one, use the storage as well.
    """
    if not config.proxy.has_own:
        return Secret(config.http.secret.encode("utf-8"), "")  # it seals no uploads
    path = beside_the_tree(config, "secret")
    is_apart = is_shared and not path
    return Secret(config.http.secret.encode("utf-8"), path, is_apart)


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


def http2_choice(config: Config) -> Http2Use:
    """Tell who is answered by HTTP/2 on TLS."""
    if not config.http.tls.certificate or config.http.http2.disabled:
        return Http2Use.NEVER
    return Http2Use.PREFERRED if config.http.http2.prefer else Http2Use.NEEDED


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
