"""Failures of an upstream that this room tells apart."""

from __future__ import annotations

from txregistry.spec.errors import UpstreamFailed, UpstreamTimeout


class Unreachable(UpstreamFailed):
    """No connection could be made: name, network, or TLS."""


class ConnectTimedOut(Unreachable, UpstreamTimeout):
    """No connection could be made in time."""


class StorageRefused(UpstreamFailed):
    """A storage to which the registry sent us does not give what it should.

    Its 401, 403 or 404 says nothing of the registry's own access: the URL may have
    expired, or a replica lag behind.
    """


class TargetRefused(UpstreamFailed):
    """The upstream leads to an address to which it may not lead.

    That is no failure of what is there, and asking again changes nothing.
    """
