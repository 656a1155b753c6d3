"""Which manifests may be pushed: media types, foreign layers, children of an index.

The functions are pure: they return what must exist, and the caller looks it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

import attrs

from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor, Platform
from txregistry.spec.errors import Denied, ManifestInvalid, RegistryError
from txregistry.spec.manifest import schema1
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.manifest.parse import parse
from txregistry.spec.patterns import Pattern

#: Types whose documents must have ``mediaType``.
_NAMED = (mediatypes.DOCKER_MANIFEST, mediatypes.DOCKER_LIST)

#: Longest URL of a layer that is matched against patterns, in characters.
_MAX_URL = 4096

_CLASSES = {
    "application/vnd.docker.container.image.v1+json": "image",
    "application/vnd.oci.image.config.v1+json": "image",
    "application/vnd.docker.plugin.v1+json": "plugin",
}


@attrs.frozen
class PushPolicy:
    """The configuration of ``validation``, ``policy`` and ``compatibility``.

    :ivar disabled: neither URLs of layers nor children of indexes are checked.
    :ivar allow: patterns, one of which must match the URL of a layer. If empty, all
        URLs that :attr:`deny` does not match are allowed; if both are, none is.
    :ivar deny: patterns, none of which may match the URL.
    :ivar platforms: children that must exist: ``all``, ``none``, or those for a
        platform in :attr:`platform_list` (``list``).
    :ivar classes: accepted classes of images (``image``, ``plugin``, ``unknown``);
        empty for all.
    :ivar schema1: Docker schema 1 is accepted.
    """

    disabled: bool = False
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    platforms: str = "all"
    platform_list: frozenset[Platform] = frozenset()
    classes: tuple[str, ...] = ()
    schema1: bool = False


@attrs.frozen
class Requirements:
    """What must exist for a manifest to be accepted.

    :ivar problems: reasons to refuse it in any case.
    """

    blobs: Sequence[Descriptor] = ()
    manifests: Sequence[Descriptor] = ()
    problems: Sequence[RegistryError] = ()


def read_pushed(content: bytes, content_type: str, algorithm: str) -> Manifest:
    """Parse a pushed manifest.

    :param content_type: of the request. If empty, the document must have a
        ``mediaType``; if ``application/json``, as old clients send, the type is taken
        or guessed from the document.
    :raise ManifestInvalid: it is no valid manifest, or not of this type.
    :raise ManifestTooLarge: it is longer than ``MAX_MANIFEST_BYTES``.
    """
    plain = content_type.partition(";")[0].strip().lower()
    if plain and plain not in (*mediatypes.MANIFEST_TYPES, mediatypes.JSON):
        raise ManifestInvalid({"Content-Type": plain[:200]})
    manifest = parse(content, plain or None, algorithm)
    if not plain and not manifest.states_media_type:
        raise ManifestInvalid({"Content-Type": "is missing"})
    version = 1 if manifest.media_type in mediatypes.SCHEMA1_TYPES else 2
    if manifest.schema_version != version or manifest.schema_version is True:
        raise ManifestInvalid({"schemaVersion": f"expected {version}"})
    if version == 1:
        schema1.check_history(content)
    if manifest.media_type in _NAMED and not manifest.states_media_type:
        raise ManifestInvalid({"mediaType": "is missing"})
    return manifest


def requirements_of(manifest: Manifest, policy: PushPolicy) -> Requirements:
    """Return what must exist for a manifest to be accepted."""
    if manifest.media_type in mediatypes.INDEX_TYPES:
        return _of_index(manifest, policy)
    problems: list[RegistryError] = _class_problems(manifest, policy)
    layers = {(layer.digest, layer.urls): layer for layer in manifest.references}
    problems += filter(None, (_layer_problem(item, policy) for item in layers.values()))
    wanted = _distinct(
        [
            reference
            for reference in manifest.references
            if reference.media_type not in mediatypes.FOREIGN_LAYERS
        ]
    )
    if manifest.media_type in mediatypes.SCHEMA1_TYPES and not policy.schema1:
        reason = "compatibility.schema1.enabled is false"
        problems.append(ManifestInvalid({"reason": reason}))
    return Requirements(blobs=wanted, problems=problems)


def _of_index(manifest: Manifest, policy: PushPolicy) -> Requirements:
    # A child listed for several platforms is required if one of them is.
    children = manifest.references
    wanted = _distinct([c for c in children if _is_wanted(c.platform, policy)])
    blobs = [c for c in wanted if c.media_type not in mediatypes.MANIFEST_TYPES]
    manifests = [c for c in wanted if c.media_type in mediatypes.MANIFEST_TYPES]
    return Requirements(blobs, manifests)


def _is_wanted(platform: Platform | None, policy: PushPolicy) -> bool:
    if policy.disabled or policy.platforms == "none":
        return False
    if policy.platforms == "list":
        return platform in policy.platform_list
    return True


def _distinct(references: Sequence[Descriptor]) -> list[Descriptor]:
    return list({reference.digest: reference for reference in references}.values())


def _class_problems(manifest: Manifest, policy: PushPolicy) -> list[RegistryError]:
    config = manifest.references[0].media_type if manifest.references else ""
    found = _CLASSES.get(config, "unknown")
    if not policy.classes or found in policy.classes:
        return []
    return [Denied({"class": found, "allowed": list(policy.classes)})]


def _layer_problem(layer: Descriptor, policy: PushPolicy) -> RegistryError | None:
    """Check the URLs of a layer: clients may fetch it from them."""
    kind = layer.media_type
    if kind == mediatypes.DOCKER_FOREIGN_LAYER and not layer.urls:
        return ManifestInvalid({"layer": str(layer.digest), "reason": "has no URL"})
    if kind not in mediatypes.FOREIGN_LAYERS | mediatypes.OCI_LAYERS:
        return None
    if policy.disabled:
        return None
    for url in layer.urls:
        reason = _url_problem(url, policy)
        if reason is not None:
            facts = {"layer": str(layer.digest), "url": url[:200], "reason": reason}
            return ManifestInvalid(facts)
    return None


def _url_problem(url: str, policy: PushPolicy) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "is no URL"
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
        return "is no http or https URL without a fragment"
    if not (policy.allow or policy.deny):
        return "is not allowed: validation.manifests.urls allows none"
    if len(url) > _MAX_URL:
        return "is too long"
    if policy.allow and not _matches(policy.allow, url):
        return "is not allowed by validation.manifests.urls.allow"
    if _matches(policy.deny, url):
        return "is denied by validation.manifests.urls.deny"
    return None


def _matches(patterns: Sequence[str], url: str) -> bool:
    return any(_pattern(text).found_in(url) for text in patterns)


@lru_cache(256)
def _pattern(text: str) -> Pattern:
    return Pattern.parse(text)
