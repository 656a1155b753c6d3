"""``middleware``: what stands around the registry, its repositories and its storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from txregistry.config.declare import file_path, required, setting
from txregistry.config.fields import Duration

#: Where the list of the addresses of AWS is published.
RANGES_URL = "https://ip-ranges.amazonaws.com/ip-ranges.json"


@attrs.frozen
class MiddlewareItem:
    """One middleware of a list."""

    name: str = required("Name, as an installed package offers it.", "2.0")
    disabled: bool = setting(False, "Pass over it.", "2.0")
    options: object = setting(
        None, "What it is to do, as the package says that offers it.", "2.0"
    )


@attrs.frozen
class StorageItem(MiddlewareItem):
    """One middleware of the storage."""


@attrs.frozen
class CloudFrontOptions:
    """Options of ``cloudfront``."""

    baseurl: str = required(
        "cloudfront: URL of the distribution. redirect: URL to which the path of a file"
        " is added.",
        "2.0",
    )
    privatekey: str = file_path(
        attrs.NOTHING,
        "cloudfront: File with the private RSA key of the pair, in PEM.",
        "2.0",
    )
    keypairid: str = required("cloudfront: Id of the pair of keys.", "2.0")
    duration: Duration = setting(
        Duration(20 * 60.0), "cloudfront: How long a URL is good.", "2.0"
    )
    ipfilteredby: str = setting(
        "none",
        "cloudfront: Which clients read from the bucket itself: those with an address"
        " of AWS, or of the regions of awsregion.",
        "2.7",
        choices=("none", "aws", "awsregion"),
    )
    awsregion: str = setting(
        "", "cloudfront: Regions, with commas between them.", "2.7"
    )
    iprangesurl: str = setting(
        RANGES_URL, "cloudfront: URL of the list of addresses.", "2.7"
    )
    updatefrequency: Duration = setting(
        Duration(12 * 3600.0), "cloudfront: Time between two reads of that list.", "2.7"
    )
    updatefrenquency: Duration | None = setting(
        None,
        "",
        "2.7",
        until="2.8",
        newer="middleware.storage[].options.updatefrequency",
    )


@attrs.frozen
class RedirectOptions:
    """Options of ``redirect``."""

    baseurl: str = required("", "2.5")


@attrs.frozen
class RewriteOptions:
    """Options of ``rewrite``."""

    scheme: str = setting("", "rewrite: Scheme of each URL.", "3.0", unset="unchanged")
    host: str = setting(
        "", "rewrite: Host of each URL, with its port.", "3.0", unset="unchanged"
    )
    trimpathprefix: str = setting(
        "", "rewrite: Removed from the beginning of each path.", "3.0", unset="nothing"
    )


#: The options of storage middleware that comes with the house.
SHIPPED: Mapping[str, type[Any]] = {
    "cloudfront": CloudFrontOptions,
    "redirect": RedirectOptions,
    "rewrite": RewriteOptions,
}


@attrs.frozen
class Middleware:
    """``middleware``; in each list the first is the innermost."""

    registry: tuple[MiddlewareItem, ...] = setting(
        (), "Around the set of repositories; may refuse some.", "2.0"
    )
    repository: tuple[MiddlewareItem, ...] = setting(
        (), "Around each repository that a client asks for.", "2.0"
    )
    storage: tuple[StorageItem, ...] = setting(
        (),
        "Around the storage driver: cloudfront, redirect, rewrite, or another one.",
        "2.0",
    )


def enabled(section: Middleware) -> Iterator[tuple[str, str, MiddlewareItem]]:
    """Give what is not disabled: its kind, its path, and itself."""
    for field in attrs.fields(Middleware):
        kind = field.name
        for index, item in enumerate(getattr(section, kind)):
            if not item.disabled:
                yield kind, f"middleware.{kind}[{index}]", item
