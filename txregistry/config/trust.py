"""Entries that say which hosts an upstream may name: token services, and targets."""

from __future__ import annotations

from txregistry.spec.targets import TrustedTarget
from txregistry.spec.weburl import is_http_url


def check_targets(entries: tuple[str, ...], path: str = "proxy") -> list[str]:
    """Check ``trustedtargets`` of an upstream; give a problem for each invalid one."""
    problems = []
    for at, entry in enumerate(entries):
        try:
            TrustedTarget.parse(entry)
        except ValueError as error:
            problems.append(f"{path}.trustedtargets[{at}]: {error}")
    return problems


def check_realms(entries: tuple[str, ...], path: str = "proxy") -> list[str]:
    """Check ``trustedrealms`` of an upstream; give a problem for each invalid one."""
    return [
        f"{path}.trustedrealms[{at}]: expected an http or https URL, or a host"
        for at, entry in enumerate(entries)
        if not is_http_url(entry if "://" in entry else f"https://{entry}")
    ]
