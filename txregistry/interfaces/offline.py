"""Contract for a cache that asks its upstreams nothing for a while."""

from __future__ import annotations

from zope.interface import Attribute, Interface


class IOfflineSwitch(Interface):
    """Whether any upstream may be asked."""

    is_on: bool = Attribute("True while no upstream is asked.")

    def switch(on: bool) -> bool:
        """Go offline, or online again; requests under way are not affected.

        :return: whether that changed anything.
        """
