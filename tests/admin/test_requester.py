"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import pwd
import socket

from twisted.internet.interfaces import ISystemHandle
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

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

    def test_unknown(self) -> None:
        """A transport without a socket, and a user without a name."""
        self.assertEqual(str(peer(object())), "the control socket")
        self.assertEqual(user_name(4_000_000_000), "#4000000000")
