"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from unittest import mock

from twisted.internet.interfaces import ISystemHandle
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides, implementer

from txregistry.admin.requester import ourselves, peer, user_name
from txregistry.interfaces.audit import Requester


class RequesterTests(SynchronousTestCase):
    """Users and processes."""

    def test_peer(self) -> None:
        """The kernel says who is at the other end of a real socket."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)

        @implementer(ISystemHandle)
        class Transport:
            def getHandle(self) -> socket.socket:
                return ours

        name = pwd.getpwuid(os.geteuid()).pw_name
        expected = Requester(name, f"pid:{os.getpid()}")
        self.assertEqual(peer(Transport()), expected)
        self.assertEqual(ourselves(), expected)
        self.assertEqual(str(expected), f"{name} (pid:{os.getpid()})")

    def test_large_number(self) -> None:
        """Users have numbers up to four thousand million, as in a container."""
        handle = mock.Mock(spec=socket.socket)
        handle.getsockopt.return_value = struct.pack("iII", 7, 4_294_967_290, 0)
        transport = mock.Mock()
        transport.getHandle.return_value = handle
        directlyProvides(transport, ISystemHandle)
        self.assertEqual(peer(transport), Requester("#4294967290", "pid:7"))

    def test_unknown(self) -> None:
        """A transport without a socket, and a user without a name."""
        self.assertEqual(str(peer(object())), "the control socket")
        self.assertEqual(user_name(4_000_000_000), "#4000000000")
