"""What an action did, in words (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from txregistry.web.console.words import count_of, short, size_of, span_of

#: The report of a command, as the API has it.
Report = Mapping[str, Any]

#: Findings that are told one by one.
_FINDINGS = 20


def outcome(action: str, report: Report) -> Sequence[str]:
    """Return what an action did, or would do if it was a dry run, in lines.

    :param report: of its command; empty as long as there is none.
    """
    return list(_WAYS[action](report)) if report and action in _WAYS else []


def _warm(report: Report) -> Iterator[str]:
    for image in report["images"]:
        parts = count_of(image["parts"], "part")
        fetched = f"{image['fetched']:,} of {parts} fetched"
        bytes_ = size_of(image["fetched_bytes"])
        yield f"{image['image']}: {fetched}, {bytes_} of blobs"
        yield from (f"{image['image']}: {failure}" for failure in image["failures"])


def _refresh(report: Report) -> Iterator[str]:
    for image in report["images"]:
        yield f"{image['image']} is {image['digest'] or 'not here'}"


def _purge(report: Report) -> Iterator[str]:
    yield (
        f"removed {count_of(report['tags'], 'tag')},"
        f" {count_of(report['manifests'], 'manifest')} and"
        f" {count_of(report['blobs'], 'blob')}"
    )


def _changed(report: Report) -> Iterator[str]:
    yield "the list of pins has changed" if report["changed"] else "nothing changed"


def _offline(report: Report) -> Iterator[str]:
    yield "no upstream is asked" if report["offline"] else "upstreams are asked"


def _collect(report: Report) -> Iterator[str]:
    verb = "would delete" if report["dry_run"] else "deleted"
    blobs = count_of(report["blobs_deleted"], "blob")
    yield f"{verb} {blobs}, {size_of(report['bytes_deleted'])}"
    yield f"{verb} {count_of(report['manifests_deleted'], 'manifest')}"
    yield f"{verb} {count_of(report['links_deleted'], 'link')}"
    yield f"{'would keep' if report['dry_run'] else 'kept'} " + count_of(
        report["blobs_kept"], "blob"
    )
    for name in report["broken"][:_FINDINGS]:
        yield f"{name} cannot be read, and is left alone"


def _verify(report: Report) -> Iterator[str]:
    seconds = span_of(report["seconds"])
    yield (
        f"read {count_of(report['contents'], 'blob')}, {size_of(report['size'])},"
        f" within {seconds}"
    )
    yield (
        f"{report['damaged']:,} damaged, {report['healed']:,} of them fetched again;"
        f" {report['missing']:,} missing; {report['unreadable']:,} cannot be read"
    )
    if not report["complete"]:
        yield "it was ended before all was read"
    for finding in report["findings"][:_FINDINGS]:
        names = ", ".join(finding["repositories"])
        of = f" of {names}" if names else ""
        yield f"{short(finding['digest'])}{of}: {finding['outcome']}"


_WAYS: Mapping[str, Callable[[Report], Iterator[str]]] = {
    "warm": _warm,
    "refresh": _refresh,
    "purge": _purge,
    "pin": _changed,
    "unpin": _changed,
    "offline": _offline,
    "collect": _collect,
    "verify": _verify,
}
