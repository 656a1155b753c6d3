"""Parameters of drivers and controllers that packages offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.examples import access, driver
from txregistry.assembly import makers
from txregistry.auth import maker as controllers
from txregistry.config.read import read_config
from txregistry.storagedriver import maker as drivers


class Point:
    """An entry point."""

    def __init__(self, name: str, make: Callable[..., object]) -> None:
        self.name, self.load = name, lambda: make


class MakerTests(SynchronousTestCase):
    """What --check finds in parameters of theirs."""

    def offer(self, module: Any, *points: Point) -> None:
        self.patch(module, "entry_points", lambda group: points)

    def problems(self, **config: object) -> list[str]:
        stated = {"version": "0.1", "storage": "inmemory", **config}
        return makers.maker_problems(read_config(stated)[0])

    def test_taken(self) -> None:
        """What can be made is no problem; nothing that nobody offers is made."""
        self.offer(drivers, Point("dict", driver.make))
        self.offer(controllers, Point("teams", access.make))
        self.assertEqual(
            self.problems(
                storage={"dict": {}}, auth={"teams": {"passwords": {"red": "x"}}}
            ),
            [],
        )
        self.assertEqual(self.problems(storage={"s3": {}}, auth={"other": {}}), [])

    def test_refused(self) -> None:
        """Its reason is told, with the key."""
        self.offer(controllers, Point("teams", access.make))
        self.assertEqual(
            self.problems(auth={"teams": {}}),
            ["auth.teams.passwords: expected names with passwords"],
        )

    def test_mistakes(self) -> None:
        """So is an exception of any kind, and work that it wants to do at once."""

        def careless(parameters: Any, disk: Any, clock: Any) -> object:
            return parameters["bucket"]

        def hasty(parameters: Any, disk: Any, clock: Any) -> object:
            return disk.run(print, "x")

        def gone(parameters: Any, disk: Any, clock: Any) -> object:
            raise FileNotFoundError("no ca.pem")

        for make, told in (
            (careless, "cannot be made: KeyError: 'bucket'"),
            (hasty, "cannot be made: RuntimeError: nothing is to be read or written"),
            (gone, "no ca.pem"),
        ):
            self.offer(drivers, Point("dict", make))
            (problem,) = self.problems(storage={"dict": {}})
            self.assertTrue(problem.startswith(f"storage.dict: {told}"), problem)

    def test_ours_are_not_made(self) -> None:
        """A password file that is missing is not made by a check."""
        path = self.mktemp()
        auth = {"htpasswd": {"realm": "r", "path": path}}
        self.assertEqual(self.problems(auth=auth), [])
        self.assertRaises(FileNotFoundError, open, path)
