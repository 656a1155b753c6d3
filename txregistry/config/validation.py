"""``validation``, ``policy``, ``compatibility``: what may be pushed."""

from __future__ import annotations

import attrs

from txregistry.config.declare import no_effect, required, section, setting

_NEVER_SIGNED = "manifests are never converted, so none is signed"
_OPENED_ONCE = "the storage is opened at the start"


@attrs.frozen
class UrlsSection:
    """``validation.manifests.urls``: regular expressions."""

    allow: tuple[str, ...] = setting(
        (), "Regular expressions of the URLs that layers may have.", "2.6"
    )
    deny: tuple[str, ...] = setting(
        (), "Regular expressions of the URLs that layers must not have.", "2.6"
    )


@attrs.frozen
class PlatformSection:
    """``validation.manifests.indexes.platformlist[]``."""

    architecture: str = required("Architecture, such as amd64.", "3.0")
    os: str = required("Operating system, such as linux.", "3.0")


@attrs.frozen
class Indexes:
    """``validation.manifests.indexes``: which children must exist."""

    platforms: str = setting(
        "all",
        "Which manifests of an index must exist when it is pushed.",
        "3.0",
        choices=("all", "none", "list"),
    )
    platformlist: tuple[PlatformSection, ...] = setting(
        (), "Platforms whose manifests must exist, where platforms is list.", "3.0"
    )


@attrs.frozen
class ManifestsSection:
    """``validation.manifests``."""

    urls: UrlsSection = section(
        UrlsSection, "URLs of layers that are stored elsewhere.", "2.6"
    )
    indexes: Indexes = section(Indexes, "Manifests of an index.", "3.0")


@attrs.frozen
class Validation:
    """``validation``."""

    disabled: bool = setting(False, "Do not validate manifests.", "2.6")
    enabled: bool | None = setting(
        None, "false means disabled: true.", "2.6", newer="validation.disabled"
    )
    manifests: ManifestsSection = section(
        ManifestsSection, "Validation of pushed manifests.", "2.6"
    )


@attrs.frozen
class RepositoryPolicy:
    """``policy.repository``."""

    classes: tuple[str, ...] = setting(
        (),
        "Classes of manifests that may be pushed: image, plugin.",
        "2.6",
        unset="everything",
    )


@attrs.frozen
class Policy:
    """``policy``."""

    repository: RepositoryPolicy = section(
        RepositoryPolicy, "Policy of repositories.", "2.6"
    )


@attrs.frozen
class Schema1:
    """``compatibility.schema1``."""

    enabled: bool = setting(
        False, "Accept pushes of schema 1 manifests.", "2.7", until="2.8"
    )
    disablesignaturestore: bool = setting(
        False,
        "Do not store signatures apart from the manifests.",
        "2.3",
        until="2.4",
        restart=_OPENED_ONCE,
    )
    signingkeyfile: str = no_effect(
        _NEVER_SIGNED, "Key that signs converted manifests.", "2.3", "", until="2.8"
    )
    trustkey: str = no_effect(
        _NEVER_SIGNED, "Older name of the signing key.", "2.3", "", until="2.8"
    )


@attrs.frozen
class Compatibility:
    """``compatibility``."""

    schema1: Schema1 = section(Schema1, "Schema 1 manifests.", "2.3", until="2.8")
