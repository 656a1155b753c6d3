"""Entries that say whom an upstream may name: token services, and other targets."""

from __future__ import annotations

from txregistry.spec.targets import TrustedTarget
from txregistry.spec.weburl import is_http_url


def check_targets(entries: tuple[str, ...]) -> list[str]:
    """Look at ``proxy.trustedtargets``; give a problem for each entry that is none."""
    problems = []
    for at, entry in enumerate(entries):
        try:
            TrustedTarget.parse(entry)
        except ValueError as error:
            problems.append(f"proxy.trustedtargets[{at}]: {error}")
    return problems


def check_realms(entries: tuple[str, ...]) -> list[str]:
    """Look at ``proxy.trustedrealms``; give a problem for each entry that is none."""
    return [
        f"proxy.trustedrealms[{at}]: expected an http or https URL, or a host"
        for at, entry in enumerate(entries)
        if not is_http_url(entry if "://" in entry else f"https://{entry}")
    ]
