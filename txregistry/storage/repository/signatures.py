"""Schema 1 signatures as distribution 2.0 to 2.4 stored them."""

from __future__ import annotations

import posixpath

import attrs
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import Change, IStorageDriver, PathNotFound, PutFile
from txregistry.interfaces.signatures import ISignatureService
from txregistry.spec.digest import CANONICAL, HEX_LENGTHS, Digest
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.content.store import Content
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links


@implementer(ISignatureService)
@attrs.define(eq=False)
class LinkedSignatures:
    """Signatures as ordinary content, linked under the manifest they belong to."""

    _name: RepositoryName
    _driver: IStorageDriver
    _content: Content
    _enabled: bool = True

    @deferred
    async def get(self, digest: Digest) -> list[bytes]:
        """Fire with the signatures whose content is there, sorted by digest."""
        directory = f"{layout.signatures(self._name, digest)}/{CANONICAL}"
        try:
            paths = await self._driver.list(directory)
        except PathNotFound:
            return []
        found = []
        for path in paths:
            content = await self._read(posixpath.basename(path))
            if content is not None:
                found.append(content)
        return found

    @deferred
    async def verify(self, manifest: Manifest) -> None:
        """Fire if every signature is well-formed."""
        # With it comes cryptography, for manifests of a kind that is hardly pushed now.
        from txregistry.storage.repository.signature_verification import (
            verify_signatures,
        )

        verify_signatures(manifest)

    @deferred
    async def put(self, digest: Digest, *signatures: bytes) -> None:
        """Store signatures and link them; existing ones stay.

        With the store disabled (``compatibility.schema1.disablesignaturestore``)
        nothing is kept.
        """
        for signature in signatures if self._enabled else ():
            await self._store(digest, signature)

    @deferred
    async def _store(self, digest: Digest, signature: bytes) -> None:
        name = Digest.of(signature)
        self._content.pin(name)
        await self._content.locks.run(name, lambda: self._link(digest, name, signature))

    @deferred
    async def _link(self, digest: Digest, name: Digest, signature: bytes) -> None:
        link = layout.signature_link(self._name, digest, name)
        changes: list[Change] = [PutFile(layout.blob_data(name), signature)]
        changes += await Links(self._driver).change(link, name)
        await self._driver.apply(changes=changes)
        self._content.use(name)

    @deferred
    async def _read(self, hex_digits: str) -> bytes | None:
        if len(hex_digits) != HEX_LENGTHS[CANONICAL]:
            return None
        digest = Digest(CANONICAL, hex_digits)
        try:
            content = await self._driver.get(layout.blob_data(digest))
        except PathNotFound:
            return None
        return content if Digest.of(content) == digest else None
