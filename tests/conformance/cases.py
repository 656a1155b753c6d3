"""The table: what the OCI distribution specification 1.1 and the main branch after it
ask of a registry, and what clients rely on that Docker distribution does."""

from __future__ import annotations

import importlib

from tests.conformance.form import Case

#: One module for each part of the API.
AREAS = (
    "base",
    "pull",
    "push",
    "chunks",
    "manifests",
    "tags",
    "referrers",
    "deletes",
    "docker",
)


def _cases_of(area: str) -> list[Case]:
    module = importlib.import_module(f"tests.conformance.{area}")
    return [found for found in vars(module).values() if isinstance(found, Case)]


#: All of them, in the order in which they are written down.
CASES: tuple[Case, ...] = tuple(case for area in AREAS for case in _cases_of(area))
