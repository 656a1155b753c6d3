"""A host is resolved once, and only what was found is connected to."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IReactorPluggableNameResolver
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.reactors import MemoryReactorClock
from txregistry.remote.resolving import FixedResolver, PinnedReactor, resolve

FOUND = (IPv4Address("TCP", "192.0.2.1", 80),)


class Nothing:
    """Resolves no name."""

    def resolveHostName(self, receiver: Any, *_: Any, **__: Any) -> None:
        receiver.resolutionBegan(None)
        receiver.resolutionComplete()


class ResolvingTests(SynchronousTestCase):
    """Names, and what they stand for."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def test_found(self) -> None:
        """It fires with what the reactor's resolver finds."""
        found = self.successResultOf(resolve(self.reactor, "192.0.2.1", 80))
        self.assertEqual(tuple(found), FOUND)

    def test_not_found(self) -> None:
        """A name without an address fails."""
        self.reactor.nameResolver = Nothing()
        self.failureResultOf(resolve(self.reactor, "gone", 80), DNSLookupError)

    def test_no_name(self) -> None:
        """So does what can be no name, which Twisted would wait for for ever."""
        for host in ("a" * 64, "a..b"):
            self.failureResultOf(resolve(self.reactor, host, 80), DNSLookupError)

    def test_pinned(self) -> None:
        """An endpoint connects to the fixed addresses, whatever its name is."""
        pinned = PinnedReactor(self.reactor, FixedResolver(FOUND))
        verifyObject(IReactorPluggableNameResolver, pinned)
        connecting = HostnameEndpoint(pinned, "elsewhere", 80).connect(Factory())
        self.assertEqual(self.reactor.tcpClients[0][:2], ("192.0.2.1", 80))
        connecting.addErrback(lambda _: None)

    def test_several(self) -> None:
        """All of them are given."""
        both = (*FOUND, IPv6Address("TCP", "2001:db8::1", 80))
        pinned = PinnedReactor(self.reactor, FixedResolver(both))
        self.assertEqual(tuple(self.successResultOf(resolve(pinned, "x", 80))), both)
        before = pinned.installNameResolver(FixedResolver(FOUND))
        self.assertEqual(before, FixedResolver(both))
        found = self.successResultOf(resolve(pinned, "x", 80))
        self.assertEqual(tuple(found), FOUND)
