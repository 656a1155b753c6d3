"""Values that a declaration excludes, wherever they stand."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.test_config import MINIMAL
from txregistry.config.read import ConfigurationError, read_config


class BoundsTests(SynchronousTestCase):
    """Choices and minima."""

    def problems(self, **config: object) -> list[str]:
        with self.assertRaises(ConfigurationError) as caught:
            read_config({**MINIMAL, **config})
        return caught.exception.problems

    def test_choices(self) -> None:
        """What is no choice is told with all that are."""
        self.assertEqual(
            self.problems(log={"level": "loud"}, http={"net": "udp"}),
            [
                "log.level: expected error or warn or info or debug, found 'loud'",
                "http.net: expected tcp or unix, found 'udp'",
            ],
        )

    def test_minima(self) -> None:
        """So is a number that is too small."""
        self.assertEqual(
            self.problems(
                proxy={"maxfills": 0},
                http={"limits": {"uploads": {"total": -1}}},
                tags={"maxtags": 0},
            ),
            [
                "http.limits.uploads.total: expected 0 or more",
                "proxy.maxfills: expected 1 or more",
                "tags.maxtags: expected 1 or more",
            ],
        )

    def test_parameters_of_drivers(self) -> None:
        """Parameters of our drivers are read like keys."""
        storage = {"filesystem": {"maxthreads": "x", "directwrites": 1, "root": "/"}}
        found = self.problems(storage=storage)
        self.assertEqual(
            found,
            [
                "storage.filesystem.maxthreads: expected a whole number, found text",
                (
                    "storage.filesystem.directwrites: expected true or false, found a"
                    " number"
                ),
            ],
        )

    def test_numbers_in_quotes(self) -> None:
        """A number of threads may stand in quotes, as in distribution."""
        storage = {"filesystem": {"maxthreads": "32"}}
        config, warnings = read_config({**MINIMAL, "storage": storage})
        self.assertEqual(
            (config.storage.parameters["maxthreads"], warnings), ("32", [])
        )
        long = {"filesystem": {"maxthreads": "9" * 10_000}}
        (problem,) = self.problems(storage=long)
        self.assertIn("maxthreads: expected a whole number", problem)

    def test_inmemory_has_no_keys(self) -> None:
        """A parameter of a driver that has none is told."""
        _, warnings = read_config({**MINIMAL, "storage": {"inmemory": {"size": 1}}})
        self.assertEqual(
            warnings, ["storage.inmemory.size: is not a known key and is ignored"]
        )
