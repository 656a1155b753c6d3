"""The debug listener."""

from __future__ import annotations

from typing import Any

from twisted.web.resource import IResource
from twisted.web.server import Site


class DebugSite(Site):
    """The debug listener's site; it keeps no log of its own."""

    noisy = False

    def __init__(self, resource: IResource) -> None:
        super().__init__(resource)

    def log(self, request: Any) -> None:
        """Write nothing."""
