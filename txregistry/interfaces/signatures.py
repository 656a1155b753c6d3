"""Contracts for schema 1 signatures."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import Interface

from txregistry.spec.digest import Digest
from txregistry.spec.manifest.model import Manifest


class ISignatureService(Interface):
    """The JWS signatures that were pushed with schema 1 manifests."""

    def get(digest: Digest) -> Deferred[list[bytes]]:
        """Fire with the signatures of a manifest, sorted by digest; perhaps none."""

    def verify(manifest: Manifest) -> Deferred[None]:
        """Fire if every signature of a manifest is one, by the key that it names.

        Whether that key is to be trusted is for whoever pulls. Fails with
        ``ManifestUnverified``, also for a manifest without any signature.
        """

    def put(digest: Digest, *signatures: bytes) -> Deferred[None]:
        """Add signatures to those that are there."""
