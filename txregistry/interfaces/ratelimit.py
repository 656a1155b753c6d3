"""Contract for sparing an upstream that limits how often it may be asked."""

from __future__ import annotations

from zope.interface import Attribute, Interface


class IRateLimit(Interface):
    """Decides about questions that could be done without."""

    is_short: bool = Attribute("True while such questions have to be spared.")

    def take() -> bool:
        """Return whether such a question may be asked now; then it counts as asked."""
