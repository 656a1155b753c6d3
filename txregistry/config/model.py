"""Every key of the configuration, as frozen values with their defaults.

The names are those of Docker distribution 2.1 to 3.1; our own keys are at the end of
each section and have names that distribution does not use. A section that is typed as
``object`` is known and accepted as a whole. What is known of each key stands beside it
(:mod:`txregistry.config.declare`).
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.access import Auth
from txregistry.config.cache import CacheSection
from txregistry.config.declare import no_effect, required, section, setting
from txregistry.config.health import HealthSection
from txregistry.config.http import Http
from txregistry.config.middleware import Middleware
from txregistry.config.notifications import Notifications
from txregistry.config.proxy import Proxy
from txregistry.config.redis import RedisSection
from txregistry.config.storage import Storage
from txregistry.config.validation import Compatibility, Policy, Validation

#: Versions of the format.
VERSIONS = ("0.1",)

LEVELS = ("error", "warn", "info", "debug")


@attrs.frozen
class AccessLogSection:
    """``log.accesslog``."""

    disabled: bool = setting(False, "Disable the access log.", "2.6")


@attrs.frozen
class AuditSection:
    """``log.audit``."""

    disabled: bool = setting(False, "Write no audit trail.")
    path: str = setting(
        "",
        "A file for the audit trail alone; it is appended to, and opened again by a"
        " reload.",
        unset="the log",
    )


@attrs.frozen
class Log:
    """``log``."""

    level: str = setting(
        "info", "Least severe level that is logged.", "2.0", choices=LEVELS
    )
    formatter: str = setting(
        "text", "Format of the log.", "2.0", choices=("text", "json", "logstash")
    )
    fields: Mapping[str, str] = setting(
        attrs.Factory(dict), "Fields added to every line of the log.", "2.0"
    )
    accesslog: AccessLogSection = section(
        AccessLogSection, "Access log, on standard output.", "2.6"
    )
    audit: AuditSection = section(
        AuditSection,
        "A line for each push, delete, purge, collection, verification and reload.",
        restart="where it goes is settled at the start",
    )
    reportcaller: object = no_effect(
        "events name their source by namespace",
        "Add file and line of the source code.",
        "3.0",
    )
    hooks: object = no_effect(
        "let whoever collects the log send mail", "Mail for log events.", "2.1"
    )


@attrs.frozen
class Catalog:
    """``catalog``."""

    maxentries: int = setting(
        1000,
        "Maximum number of repositories on one page of _catalog.",
        "2.8.2",
        unit="repositories",
        minimum=1,
    )
    strict: bool = setting(
        False,
        "Refuse requests for more than maxentries, as distribution 2.8.2 and later "
        "do, instead of returning that many and a Link header.",
    )


@attrs.frozen
class Tags:
    """``tags``."""

    maxtags: int = setting(
        1000,
        "Maximum number of tags on one page of a tag list.",
        "3.1",
        unit="tags",
        minimum=1,
    )


@attrs.frozen
class Config:
    """The whole configuration."""

    version: str = required(
        "Version of the format.",
        "2.0",
        choices=VERSIONS,
        restart="it is the format of the file",
    )
    storage: Storage = required(
        "Exactly one storage driver, by its name, and settings for all drivers.",
        "2.0",
        restart="the storage is opened at the start",
    )
    log: Log = section(Log, "Log, on standard error.", "2.0")
    loglevel: str = setting("", "", "2.0", newer="log.level")
    http: Http = section(Http, "HTTP listener.", "2.0")
    proxy: Proxy = section(Proxy, "Upstream registry that is cached.", "2.1")
    cache: CacheSection = section(
        CacheSection, "Disk of a cache; docs/full-disk.md tells more."
    )
    auth: Auth = section(
        Auth,
        "At most one access controller, by its name; without one everybody has access.",
        "2.0",
    )
    middleware: Middleware = section(
        Middleware,
        "What stands around registry, repositories and storage; in each list the first"
        " is the innermost. docs/middleware.md has examples.",
        "2.0",
        restart="registry, repositories and storage are wrapped at the start",
    )
    notifications: Notifications = section(
        Notifications, "Notifications about pushes, pulls and deletes.", "2.0"
    )
    redis: RedisSection = section(
        RedisSection,
        "Redis server, for storage.cache.blobdescriptor: redis.",
        "2.0",
        restart="its connections belong to the storage",
    )
    health: HealthSection = section(
        HealthSection,
        "Health checks; while one fails, every request is answered with 503.",
        "2.2",
    )
    catalog: Catalog = section(Catalog, "List of repositories.", "2.8.2")
    tags: Tags = section(Tags, "Lists of tags.", "3.1")
    validation: Validation = section(Validation, "Validation of pushes.", "2.6")
    policy: Policy = section(Policy, "Policy of repositories.", "2.6")
    compatibility: Compatibility = section(
        Compatibility, "Older formats.", "2.3", until="2.8"
    )
    reporting: object = no_effect(
        "reports go to the log only", "Bugsnag and New Relic.", "2.0", until="2.8"
    )
