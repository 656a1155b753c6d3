"""Whether an image could be pulled if its upstream were gone now (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from txregistry.interfaces.images import ImageReport, PlatformReport
from txregistry.spec.platforms import WantedPlatform


def why_not_ready(
    report: ImageReport, wanted: Sequence[WantedPlatform], now: float
) -> str:
    """Return what a pull would lack; empty if it would lack nothing.

    :param wanted: platforms that are pulled. Without any it is each of which something
        is here, and there has to be one.
    :param now: in seconds since the epoch.
    """
    if not report.digest:
        return "not here"
    if report.stale_until is not None and report.stale_until < now:
        return "its tag is too old to be served while the upstream is away"
    chosen = _chosen(report, wanted)
    if not chosen:
        return "no platform of it is here"
    return "; ".join(filter(None, map(_lacks, chosen)))


def _chosen(
    report: ImageReport, wanted: Sequence[WantedPlatform]
) -> list[PlatformReport]:
    found = [item for item in report.platforms if item.digest not in item.missing]
    if not wanted:
        return found
    chosen = []
    for platform in wanted:
        text = "/".join(
            filter(None, (platform.os, platform.architecture, platform.variant))
        )
        matching = [item for item in report.platforms if is_for(item, text)]
        chosen += matching or [PlatformReport(text, "", 0, ("",))]
    return chosen


def is_for(found: PlatformReport, wanted: str) -> bool:
    """Return whether a part of an image is for a platform, or for any."""
    return not found.platform or f"{found.platform}/".startswith(f"{wanted}/")


def _lacks(found: PlatformReport) -> str:
    if found.is_complete:
        return ""
    what = found.platform or "its manifest"
    if found.digest in found.missing:
        return f"{what} is not here"
    count = len(found.missing)
    blobs = "1 blob" if count == 1 else f"{count} blobs"
    return (
        f"{blobs} of {found.platform} not here"
        if found.platform
        else f"{blobs} not here"
    )
