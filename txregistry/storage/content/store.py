"""The content of all repositories: blobs by digest, independent of links."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.context import in_context
from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred
from txregistry.flow.keyed_locks import KeyedLocks
from txregistry.interfaces.blobs import (
    IBlobProvider,
    IBlobReader,
    IContent,
    ILinkIndex,
)
from txregistry.interfaces.driver import (
    IStorageDriver,
    PathNotFound,
)
from txregistry.interfaces.expiry import EntryKey
from txregistry.interfaces.files import IStoredFile
from txregistry.interfaces.observe import IMeter
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.storage.caches.local import Caches
from txregistry.storage.content.damage import Damage
from txregistry.storage.content.integrity import Integrity
from txregistry.storage.content.leases import Leases
from txregistry.storage.content.local_links import LocalLinks
from txregistry.storage.content.pins import Pins
from txregistry.storage.content.stored_blob import StoredBlob
from txregistry.storage.content.unverified import UnverifiedBlob
from txregistry.storage.content.verdicts import Verdicts, is_large
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links

#: How often a file may be replaced while it is opened.
_RACES = 4


def _always() -> bool:
    return True


@attrs.frozen
class Seen:
    """Stored content as it was looked at.

    :ivar is_verified: it has its digest; otherwise that is being found out.
    """

    descriptor: Descriptor
    is_verified: bool


@implementer(IContent, IBlobProvider)
@attrs.define(eq=False)
class Content:
    """Content by digest on a driver.

    Linking and deleting the same content exclude one another: linking holds
    :attr:`locks` for the digest from the check of the data to the link.

    Content that does not match its digest counts as missing; see Note [Verified
    content] in :mod:`txregistry.storage.content.integrity`.

    :ivar knows_links: tells whether the index has all links. Content is collected only
        then.
    """

    _driver: IStorageDriver
    _caches: Caches
    _index: ILinkIndex
    pins: Pins
    integrity: Integrity
    damage: Damage
    locks: KeyedLocks[Digest]
    _local: LocalLinks
    leases: Leases = attrs.field(factory=Leases)
    knows_links: Callable[[], bool] = _always
    _verdicts: Verdicts = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._verdicts = Verdicts(self.integrity, self.damage)

    @deferred
    async def verify(self, digest: Digest) -> bool:
        """Fire with whether stored content matches its digest."""
        for _ in range(_RACES):
            identity, known = await self._recorded(digest)
            if known is None:
                known = await self.integrity.verify(digest, identity)
            if known is not None:
                return known
        return False

    @deferred
    async def is_known(self, digest: Digest) -> bool:
        """Fire with whether stored content was verified before; reads none of it.

        Of a driver that cannot tell files apart nothing is known.
        """
        identity, known = await self._recorded(digest)
        return known is True and bool(identity)

    @deferred
    async def _recorded(self, digest: Digest) -> tuple[str, bool | None]:
        """Fire with the identity of content, and whether it is known to be sound.

        What is not there is not; see :meth:`Integrity.find`.
        """
        try:
            found = await self._driver.stat(layout.blob_data(digest))
        except PathNotFound:
            return "", False
        known = await self.integrity.find(digest, found.identity, found.size)
        return found.identity, known

    @deferred
    async def is_there(self, digest: Digest) -> bool:
        """Fire with whether there is any content, damaged or not."""
        try:
            await self._driver.stat(layout.blob_data(digest))
        except PathNotFound:
            return False
        return True

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with the descriptor of stored content; see :meth:`look_at`."""
        return (await self.look_at(digest)).descriptor

    @deferred
    async def look_at(self, digest: Digest) -> Seen:
        """Fire with what is stored under a digest; fail with ``BlobUnknown``.

        The content is verified, or, if it is large, verification starts now.
        """
        for _ in range(_RACES):
            try:
                found = await self._driver.stat(layout.blob_data(digest))
            except PathNotFound as error:
                raise BlobUnknown(str(digest)) from error
            verified = await self._verdicts.judge(digest, found.identity, found.size)
            if not verified and is_large(found.size):
                self._verdicts.confirm_behind(digest, found.identity)
            elif not verified:
                continue  # it was replaced
            return Seen(Descriptor(digest, found.size), verified)
        raise BlobUnknown(str(digest))

    @deferred
    async def open(self, digest: Digest) -> IBlobReader:
        """Open content, under a lease.

        Fails with ``BlobUnknown`` also if it is damaged, so that it can be fetched
        again. Large content that is not verified yet is verified while it is read.
        """
        release = self.leases.take(digest)
        try:
            for _ in range(_RACES):
                file = await self._open(digest)
                opened = await self._opened(digest, file, release)
                if opened is not None:
                    return opened
            raise BlobUnknown(str(digest))
        except BaseException:
            release()
            raise

    @deferred
    async def _open(self, digest: Digest) -> IStoredFile:
        try:
            return await self._driver.reader(layout.blob_data(digest))
        except PathNotFound as error:
            raise BlobUnknown(str(digest)) from error

    @deferred
    async def _opened(
        self, digest: Digest, file: IStoredFile, release: Callable[[], None]
    ) -> IBlobReader | None:
        """Fire with a reader of an open file, or ``None`` if it was replaced."""
        identity, size = file.identity, file.size
        try:
            verified = await self._verdicts.judge(digest, identity, size)
        except BaseException:
            file.close()
            raise
        # A file fails in the context of a thread, or of whoever made room to send.
        lost = in_context(partial(self.damage.report_lost, digest, identity))
        blob = StoredBlob(Descriptor(digest, size), file, release, lost)
        if verified:
            return blob
        if is_large(size):
            return UnverifiedBlob(
                blob, lambda: self._verdicts.confirm(digest, identity)
            )
        file.close()
        return None

    @deferred
    async def purge_damaged(self, before: float) -> None:
        """Delete damaged content that was set aside before a time.

        What a local repository holds stays: no upstream has another copy.
        """
        if self.knows_links():
            await self.damage.purge(before, self._is_only_here)

    @deferred
    async def _is_only_here(self, digest: Digest) -> bool:
        holders = await self._index.holders(digest=digest)
        return self._local.holds(holders) or not self.knows_links()

    def collect(self, digest: Digest) -> Deferred[bool]:
        """Delete content that has no link and no reader; none while links are unknown.

        What stays then is found at the end of the scan that makes them known.
        """
        return self.locks.run(digest, lambda: self._collect(digest))

    def pin(self, digest: Digest) -> None:
        """Spare content from a collection; see Note [Pins]."""
        self.pins.pin(digest)

    def use(self, digest: Digest) -> None:
        """Spare linked content from a collection that began meanwhile.

        Called under the digest's lock, which the collection takes too.
        """
        self.pins.use(digest)

    def linked(self, key: EntryKey, digest: Digest) -> None:
        """Record a new link, as :meth:`use` does.

        :param digest: of the content, which the link may call otherwise.
        """
        self.use(digest)
        self._local.made(attrs.evolve(key, reference=str(digest)))

    def unlinked(self, key: EntryKey) -> None:
        """Record that a link was removed."""
        self._local.gone(key)

    def discard(self, digest: Digest, since: float) -> Deferred[bool]:
        """Delete content that a collection found unreferenced.

        :param since: content that was used after this time stays.
        :return: fires with whether it was deleted.
        """
        return self.locks.run(digest, lambda: self._discard(digest, since))

    @deferred
    async def _discard(self, digest: Digest, since: float) -> bool:
        if self.leases.held(digest) or self.pins.spares(digest, since):
            return False
        return await self._delete(digest)

    @deferred
    async def _collect(self, digest: Digest) -> bool:
        holders = await self._index.holders(digest=digest)
        # Asked last: the question may have shown that the index has lost links.
        if holders or self.leases.held(digest) or not self.knows_links():
            return False
        return await self._delete(digest)

    @deferred
    async def _delete(self, digest: Digest) -> bool:
        await self._caches.forget(digest)
        self.integrity.forget(digest)
        return await Links(self._driver).remove(layout.blob(digest), layout.BLOBS)


def make_content(
    driver: IStorageDriver,
    caches: Caches,
    links: ILinkIndex,
    local: LocalLinks,
    database: Database,
    meter: IMeter,
    clock: IReactorTime,
) -> Content:
    """Put the content of a store together.

    :param database: of the index; see :class:`Integrity`.
    """
    integrity, locks = Integrity(driver, database), KeyedLocks[Digest]()
    damage = Damage(driver, caches, integrity, locks, meter, clock)
    pins = Pins(clock)
    return Content(driver, caches, links, pins, integrity, damage, locks, local)
