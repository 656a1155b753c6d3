"""Values of options, in the syntax of the configuration."""

from __future__ import annotations

import click
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli.options import ByteSize, Repository, Seconds


class TypeTests(SynchronousTestCase):
    """Durations, sizes and names."""

    def test_values(self) -> None:
        """They are read as in the configuration."""
        self.assertEqual(Seconds().convert("1h30m", None, None), 5400.0)
        self.assertEqual(ByteSize().convert("2MiB", None, None), 2 << 20)
        self.assertEqual(Repository().convert("team/app", None, None), "team/app")

    def test_malformed(self) -> None:
        """What is none is a usage error."""
        for kind in (Seconds(), ByteSize(), Repository()):
            with self.assertRaises(click.BadParameter):
                kind.convert("Fast", None, None)
