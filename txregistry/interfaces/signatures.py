"""Contracts for schema 1 signatures."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import Interface

from txregistry.spec.digest import Digest


class ISignatureService(Interface):
    """The JWS signatures that were pushed with schema 1 manifests."""

    def get(digest: Digest) -> Deferred[list[bytes]]:
        """Fire with the signatures of a manifest, sorted by digest; perhaps none."""

    def put(digest: Digest, *signatures: bytes) -> Deferred[None]:
        """Add signatures to those that are there."""
