"""Which node downloads a blob, where there is only one."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txregistry.interfaces.fills import IDownloadClaims
from txregistry.spec.digest import Digest


@implementer(IDownloadClaims)
@attrs.define(eq=False)
class OneNode:
    """Claims where no other node downloads for the same storage."""

    def acquire(self, digest: Digest) -> Deferred[bool]:
        """Fire with true."""
        return succeed(True)

    def hold(self, digest: Digest) -> None:
        """Do nothing: nobody else asks."""

    def release(self, digest: Digest) -> None:
        """Do nothing: nobody else waits."""
