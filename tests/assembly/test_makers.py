"""Parameters of drivers and controllers that packages offer."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.examples import access, driver
from tests.offers import Point, offer
from txregistry.assembly import loading, makers
from txregistry.auth.offered import ACCESS_CONTROLLERS
from txregistry.config.read import read_config
from txregistry.middleware.offered import MIDDLEWARE
from txregistry.storagedriver.offered import STORAGE_DRIVERS


class MakerTests(SynchronousTestCase):
    """What --check finds in parameters of theirs."""

    def problems(self, **config: object) -> list[str]:
        stated = {"version": "0.1", "storage": "inmemory", **config}
        return makers.maker_problems(read_config(stated)[0])

    def test_taken(self) -> None:
        """What can be made is no problem; nothing that nobody offers is made."""
        offer(self, STORAGE_DRIVERS, Point("dict", driver.make))
        offer(self, ACCESS_CONTROLLERS, Point("teams", access.make))
        self.assertEqual(
            self.problems(
                storage={"dict": {}}, auth={"teams": {"passwords": {"red": "x"}}}
            ),
            [],
        )
        self.assertEqual(self.problems(storage={"webdav": {}}, auth={"other": {}}), [])

    def test_refused(self) -> None:
        """Its reason is told, with the key."""
        offer(self, ACCESS_CONTROLLERS, Point("teams", access.make))
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
            offer(self, STORAGE_DRIVERS, Point("dict", make))
            (problem,) = self.problems(storage={"dict": {}})
            self.assertTrue(problem.startswith(f"storage.dict: {told}"), problem)

    def test_names_that_are_taken(self) -> None:
        """A package that offers what is ours under its name is told of, if it is
        configured; so the warning of a check."""
        offer(self, STORAGE_DRIVERS, Point("inmemory", None, "rival"))
        offer(self, ACCESS_CONTROLLERS, Point("silly", None, "rival"))
        offer(self, MIDDLEWARE, Point("storage.redirect", None, "other"))
        text = """{version: "0.1", storage: inmemory, middleware: {storage: [
            {name: redirect, options: {baseurl: "https://cdn.example/"}}]}}"""
        with open(path := self.mktemp(), "w") as file:
            file.write(text)
        told = "is txregistry's own; that of"
        self.assertEqual(
            loading.examine(path, {}).warnings,
            [
                f"storage.inmemory: {told} rival is not used",
                f"middleware.storage[0].name: {told} other is not used",
            ],
        )

    def test_ours_are_not_made(self) -> None:
        """A password file that is missing is not made by a check."""
        path = self.mktemp()
        auth = {"htpasswd": {"realm": "r", "path": path}}
        self.assertEqual(self.problems(auth=auth), [])
        self.assertRaises(FileNotFoundError, open, path)
