"""Whether stored content may be given: a verdict that was recorded, or is found now."""

from __future__ import annotations

import attrs

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError, lost_by_disk
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, Unavailable
from txregistry.storage.content.damage import Damage
from txregistry.storage.content.integrity import Integrity

#: Unverified content up to this size is verified before any of it is sent, so that
#: damage is found in time to use another copy. For larger content the client would wait
#: too long.
VERIFIED_FIRST_BYTES = 256 * 1024 * 1024


@attrs.frozen
class Verdicts:
    """Finds out about content, and reports what is damaged."""

    _integrity: Integrity
    _damage: Damage

    @deferred
    async def judge(self, digest: Digest, identity: str, size: int) -> bool:
        """Fire with whether a file was verified; fail with ``BlobUnknown`` for damage.

        An unverified file is large, or has disappeared.
        """
        known = self._integrity.recall(digest, identity)
        if known is None:
            known = await self._integrity.find(digest, identity, size)
        if known is None and not is_large(size):
            known = await self._read_first(digest, identity)
        if known is False:
            self._damage.report(digest, identity)
            raise BlobUnknown(str(digest))
        return known is True

    @deferred
    async def _read_first(self, digest: Digest, identity: str) -> bool | None:
        try:
            return await self._integrity.verify(digest, identity)
        except (DriverError, OSError) as error:
            if lost_by_disk(error):
                self._damage.report_lost(digest, identity)
            raise

    @deferred
    async def confirm(self, digest: Digest, identity: str) -> None:
        """Read content that is not verified; fail with ``Unavailable`` for damage."""
        verified = await self._read_first(digest, identity)
        if verified is False:
            self._damage.report(digest, identity)
        if not verified:
            raise Unavailable("the content does not match its digest")

    def confirm_behind(self, digest: Digest, identity: str) -> None:
        """Verify large content in the background, for the next request."""
        done = self.confirm(digest, identity)
        done.addErrback(lambda failure: failure.trap(Unavailable, DriverError, OSError))


def is_large(size: int) -> bool:
    """Tell whether content is sent while it is verified."""
    return size > VERIFIED_FIRST_BYTES
