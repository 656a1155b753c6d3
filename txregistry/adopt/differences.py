"""What would be different under us: of the configuration and of the storage (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from txregistry.adopt.counts import Oddity, Survey
from txregistry.adopt.findings import Finding, Level
from txregistry.config.middleware import MiddlewareItem
from txregistry.config.model import Config

#: Keys without effect here that somebody may count on.
_MISSED = ("reporting", "log.hooks", "compatibility.schema1")

#: What each kind of oddity means, and how much it matters.
_ODDITIES: Mapping[str, tuple[Level, str]] = {
    "missing": (Level.CANNOT, "cannot be read: {where}"),
    "unreadable": (Level.LOOK, "{count} that cannot be read: {where}"),
    "closed": (Level.LOOK, "{count} that {user} may not read or change: {where}"),
    "owner": (Level.LOOK, "{count} that belong to others than {user}: {where}"),
    "special": (
        Level.LOOK,
        "{count} symbolic links or special files, not looked at: {where}",
    ),
    "misnamed": (
        Level.LOOK,
        "{count} with a name that is no digest or no name, not served: {where}",
    ),
    "foreign": (Level.NOTE, "{count} of others, which are passed over: {where}"),
    "dangling": (
        Level.LOOK,
        "{count} manifests that are linked and not there, 404 as before: {where}",
    ),
    "collected": (
        Level.NOTE,
        "{count} links to blobs that are gone, as a collection leaves them: {where}",
    ),
    "broken": (Level.LOOK, "{count} tags that name no digest, not served: {where}"),
    "upload": (
        Level.NOTE,
        "{count} uploads without a beginning, which nobody goes on with: {where}",
    ),
    "state": (Level.LOOK, "is no JSON, and is passed over: {where}"),
    "damaged": (
        Level.LOOK,
        "{count} blobs are damaged, and are set aside when asked for: {where}",
    ),
}

_PAUSE = "nobody answers for some seconds, between the end of one and the other"

#: Less than this, and our own files may find no room.
_LITTLE = 64 * 1024 * 1024


def of_configuration(problems: Iterable[str], warnings: Iterable[str]) -> list[Finding]:
    """Give what reading the old configuration as ours has told."""
    found = [Finding.of(Level.CANNOT, problem) for problem in problems]
    return found + [Finding.of(_level(line), line) for line in warnings]


def _level(warning: str) -> Level:
    return Level.LOOK if warning.startswith(_MISSED) else Level.NOTE


def of_settings(config: Config, has_address: bool) -> list[Finding]:
    """Give what the same settings do otherwise.

    :param has_address: ``http.addr`` is set.
    """
    found = []
    http = config.http
    if not has_address:
        text = f"is not set: the old registry takes any port, we take {http.addr}"
        found.append(Finding(Level.LOOK, "http.addr", text))
    if http.tls.certificate:
        text = "clients need suites with ECDHE and GCM or ChaCha20, or TLS 1.3"
        found.append(Finding(Level.NOTE, "http.tls", text))
    if http.debug.addr:
        text = "has health and metrics, and none of Go's /debug/pprof and /debug/vars"
        found.append(Finding(Level.NOTE, "http.debug.addr", text))
    if config.proxy.is_cache:
        text = "a tag is asked for again after proxy.tagttl, and not for each pull"
        found.append(Finding(Level.NOTE, "proxy", text))
    if any(item.disabled for item in _middleware(config)):
        text = "what is disabled is passed over, and the old registry uses it"
        found.append(Finding(Level.LOOK, "middleware", text))
    root = str(config.storage.parameters.get("rootdirectory", ""))
    if config.storage.driver != "filesystem":
        text = "is no directory: nothing of it stays when the old registry stops"
        found.append(Finding(Level.CANNOT, f"storage.{config.storage.driver}", text))
    elif root and not PurePosixPath(root).is_absolute():
        text = "has to begin with a slash"
        found.append(Finding(Level.CANNOT, "storage.filesystem.rootdirectory", text))
    return found


def _middleware(config: Config) -> Iterable[MiddlewareItem]:
    section = config.middleware
    return (*section.registry, *section.repository, *section.storage)


def of_storage(found: Survey, is_cache: bool, user: str) -> list[Finding]:
    """Give what is odd about a storage directory."""
    findings = [
        _of_oddity(kind, oddity, found.root, user)
        for kind, oddity in found.oddities.items()
    ]
    if found.uploads:
        text = f"{found.uploads} uploads of {found.upload_bytes} bytes are not finished"
        text += ": a client that is in the middle of one pushes again"
        findings.append(Finding(Level.NOTE, found.root, text))
    if found.schema1:
        text = f"{found.schema1} manifests of schema 1 are given as they are"
        findings.append(Finding(Level.NOTE, found.root, text))
    if found.has_state and not is_cache:
        text = "scheduler-state.json is of a cache, and this is configured as none"
        findings.append(Finding(Level.LOOK, found.root, text))
    if "missing" not in found.oddities and found.free_bytes < _LITTLE:
        text = f"has {found.free_bytes} bytes free, and we want {_LITTLE}"
        findings.append(Finding(Level.LOOK, found.root, text))
    return findings


def _of_oddity(kind: str, oddity: Oddity, root: str, user: str) -> Finding:
    level, text = _ODDITIES[kind]
    if kind == "closed" and "/" in oddity.examples:
        level = Level.CANNOT
    where = ", ".join(oddity.examples)
    if oddity.count > len(oddity.examples):
        where += ", …"
    return Finding(level, root, text.format(count=oddity.count, where=where, user=user))


def for_clients(config: Config, findings: Iterable[Finding]) -> list[str]:
    """Say what changes for clients."""
    http = config.http
    if any(finding.about == "http.addr" for finding in findings):
        return [f"the address becomes {http.addr}", _PAUSE]
    told = [f"nothing: the address stays {http.addr}"]
    if http.tls.certificate:
        told.append(f"nothing: the certificate stays {http.tls.certificate}")
    if config.auth.controller:
        told.append(f"nothing: they log in by the same auth.{config.auth.controller}")
    return [*told, _PAUSE]
