"""Contracts for whether this registry can be relied on."""

from __future__ import annotations

from collections.abc import Mapping

from zope.interface import Attribute, Interface


class IHealth(Interface):
    """What the checks last found."""

    healthy: bool = Attribute("No check fails.")

    def problems() -> Mapping[str, str]:
        """Give what is wrong, by the name of the check."""
