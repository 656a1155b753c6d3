"""Ctrl-C ends a command with what it has."""

from __future__ import annotations

import os
import signal

from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli.interrupt import on_interrupt


class InterruptTests(SynchronousTestCase):
    """Ctrl-C."""

    def test_once_and_twice(self) -> None:
        """The first one ends politely, the second one as usual."""
        ended: list[int] = []
        with (
            self.assertRaises(KeyboardInterrupt),
            on_interrupt(lambda: ended.append(1)),
        ):
            os.kill(os.getpid(), signal.SIGINT)
            self.assertEqual(ended, [1])
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.kill(os.getpid(), signal.SIGINT)

    def test_restored(self) -> None:
        """Afterwards the handler is the one from before."""
        before = signal.getsignal(signal.SIGINT)
        with on_interrupt(lambda: None):
            self.assertNotEqual(signal.getsignal(signal.SIGINT), before)
        self.assertEqual(signal.getsignal(signal.SIGINT), before)
