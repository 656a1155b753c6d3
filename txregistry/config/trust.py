"""Entries that say whom an upstream may name: token services, and other targets."""

from __future__ import annotations

from txregistry.spec.targets import TrustedTarget


def check_targets(entries: tuple[str, ...]) -> list[str]:
    """Look at ``proxy.trustedtargets``; give a problem for each entry that is none."""
    problems = []
    for at, entry in enumerate(entries):
        try:
            TrustedTarget.parse(entry)
        except ValueError as error:
            problems.append(f"proxy.trustedtargets[{at}]: {error}")
    return problems
