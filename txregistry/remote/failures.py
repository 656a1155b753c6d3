"""Kinds of failure of an upstream that agents distinguish."""

from __future__ import annotations

from txregistry.spec.errors import UpstreamFailed, UpstreamTimeout


class Unreachable(UpstreamFailed):
    """No connection could be made: DNS, network or TLS."""


class ConnectTimedOut(Unreachable, UpstreamTimeout):
    """Connecting timed out."""


class StorageRefused(UpstreamFailed):
    """An object store refused a request that the registry redirected to it.

    That is not the registry's answer about access: the signed URL may have expired, or
    a replica may lag.
    """


class TargetRefused(UpstreamFailed):
    """A redirect or token service of the upstream has an address that is not permitted.

    A retry would not help, and it does not count as a failure of the target.
    """
