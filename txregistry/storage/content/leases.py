"""Leases: content that is being read must not be deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import attrs
from zope.interface import implementer

from txregistry.interfaces.blobs import ILeases
from txregistry.spec.digest import Digest


@implementer(ILeases)
@attrs.define(eq=False)
class Leases:
    """Counts readers by digest."""

    _readers: Counter[Digest] = attrs.field(factory=Counter)

    def held(self, digest: Digest) -> bool:
        """Tell whether anybody is reading."""
        return digest in self._readers

    def take(self, digest: Digest) -> Callable[[], None]:
        """Count a reader; the caller calls the result, once or more, when done."""
        self._readers[digest] += 1
        open_leases = [digest]

        def release() -> None:
            while open_leases:
                self._release(open_leases.pop())

        return release

    def _release(self, digest: Digest) -> None:
        self._readers[digest] -= 1
        if not self._readers[digest]:
            del self._readers[digest]
