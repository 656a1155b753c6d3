"""Which platforms of an index are wanted (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from txregistry.spec.descriptor import Descriptor

_PLATFORM = re.compile(
    r"(?P<os>[a-z0-9.]+)/(?P<architecture>[a-z0-9_]+)(?:/(?P<variant>[a-z0-9.]+))?"
)


@attrs.frozen
class WantedPlatform:
    """A platform as ``OS/ARCHITECTURE`` or ``OS/ARCHITECTURE/VARIANT``.

    :ivar variant: empty for any.
    """

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> WantedPlatform:
        """Parse a platform.

        :raise ValueError: it is malformed.
        """
        match = _PLATFORM.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r}: expected OS/ARCHITECTURE, such as linux/amd64")
        return cls(match["os"], match["architecture"], match["variant"] or "")

    def matches(self, child: Descriptor) -> bool:
        """Return whether a child of an index is for this platform."""
        found = child.platform
        if found is None:
            return False
        same = (found.os, found.architecture) == (self.os, self.architecture)
        return same and self.variant in ("", found.variant)


def wanted_children(
    children: Sequence[Descriptor], wanted: Sequence[WantedPlatform]
) -> list[Descriptor]:
    """Return the children of an index that are for a wanted platform.

    A child without a platform is always one, as nothing says what it is for.

    :param wanted: none for all.
    """
    if not wanted:
        return list(children)
    return [
        child
        for child in children
        if child.platform is None or any(item.matches(child) for item in wanted)
    ]


def platform_text(child: Descriptor) -> str:
    """Return a child's platform as text; empty if it has none."""
    found = child.platform
    if found is None:
        return ""
    parts = [found.os, found.architecture, *([found.variant] if found.variant else [])]
    return "/".join(parts)
