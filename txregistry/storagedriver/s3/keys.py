"""How paths and keys go together, as Docker's registry has it."""

from __future__ import annotations

import attrs

from txregistry.interfaces.driverpaths import ROOT


@attrs.frozen
class Keys:
    """Keys below the root directory of a section."""

    _root: str

    @classmethod
    def of(cls, rootdirectory: str) -> Keys:
        """Give those of a root directory; empty is the bucket itself."""
        return cls(rootdirectory.rstrip("/"))

    def key(self, path: str) -> str:
        """Give the key of a file."""
        return f"{self._root}{path}".lstrip("/")

    def prefix(self, path: str) -> str:
        """Give what the keys of all below a directory begin with."""
        return f"{self._root}{'' if path == ROOT else path}/".lstrip("/")

    def path(self, key: str) -> str:
        """Give the path of a key that is below the root directory."""
        return key[len(self.prefix(ROOT)) - 1 :] if self._root.strip("/") else f"/{key}"
