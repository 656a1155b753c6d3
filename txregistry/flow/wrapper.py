"""Stand in for another object, and change a few of its methods."""

from __future__ import annotations

from typing import Any

from zope.interface import directlyProvides, providedBy


class Wrapper:
    """Has everything that another object has, except what a subclass defines.

    It provides the same interfaces, optional ones as well, beside those that the
    subclass implements.

    :ivar wrapped: the other object, for methods that pass a call on.
    """

    def __init__(self, wrapped: Any) -> None:
        self.wrapped = wrapped
        directlyProvides(self, *providedBy(wrapped))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)
