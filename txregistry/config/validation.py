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
        (), "URLs that layers may have, as regular expressions.", "2.6"
    )
    deny: tuple[str, ...] = setting(
        (), "URLs that they may not have, as regular expressions.", "2.6"
    )


@attrs.frozen
class PlatformSection:
    """``validation.manifests.indexes.platformlist[]``."""

    architecture: str = required("As amd64 or arm64.", "3.0")
    os: str = required("As linux.", "3.0")


@attrs.frozen
class Indexes:
    """``validation.manifests.indexes``: which children must exist."""

    platforms: str = setting(
        "all",
        "Which children of an index have to be there when it is pushed.",
        "3.0",
        choices=("all", "none", "list"),
    )
    platformlist: tuple[PlatformSection, ...] = setting(
        (), "Those of these platforms, where platforms is list.", "3.0"
    )


@attrs.frozen
class ManifestsSection:
    """``validation.manifests``."""

    urls: UrlsSection = section(UrlsSection, "Layers that are elsewhere.", "2.6")
    indexes: Indexes = section(Indexes, "The children of an index.", "3.0")


@attrs.frozen
class Validation:
    """``validation``."""

    disabled: bool = setting(False, "Take manifests whatever they refer to.", "2.6")
    enabled: bool | None = setting(
        None, "false is disabled: true.", "2.6", newer="validation.disabled"
    )
    manifests: ManifestsSection = section(
        ManifestsSection, "What a manifest may refer to.", "2.6"
    )


@attrs.frozen
class RepositoryPolicy:
    """``policy.repository``."""

    classes: tuple[str, ...] = setting(
        (), "What may be pushed: image, plugin.", "2.6", unset="everything"
    )


@attrs.frozen
class Policy:
    """``policy``."""

    repository: RepositoryPolicy = section(
        RepositoryPolicy, "What a repository may hold.", "2.6"
    )


@attrs.frozen
class Schema1:
    """``compatibility.schema1``."""

    enabled: bool = setting(False, "Take manifests of schema 1.", "2.7", until="2.8")
    disablesignaturestore: bool = setting(
        False,
        "Keep no signatures apart from the manifests.",
        "2.3",
        until="2.4",
        restart=_OPENED_ONCE,
    )
    signingkeyfile: str = no_effect(
        _NEVER_SIGNED, "The key that signs converted manifests.", "2.3", "", until="2.8"
    )
    trustkey: str = no_effect(
        _NEVER_SIGNED, "The same, by its older name.", "2.3", "", until="2.8"
    )


@attrs.frozen
class Compatibility:
    """``compatibility``."""

    schema1: Schema1 = section(Schema1, "Manifests of schema 1.", "2.3", until="2.8")
