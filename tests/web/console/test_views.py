"""What is gathered to be shown."""

from __future__ import annotations

from twisted.internet.defer import fail

from tests.web.console.cases import ConsoleCase
from txregistry.interfaces.expiry import LedgerAway
from txregistry.interfaces.history import HistoryAway
from txregistry.spec.errors import Unavailable
from txregistry.web.console import views as module
from txregistry.web.console.views import Views

IMAGE = "corp/org/app:v1"


class ViewsTests(ConsoleCase):
    """Pages of a bounded length."""

    def setUp(self) -> None:
        super().setUp()
        self.views = Views(self.sources)

    def test_repositories(self) -> None:
        """Page after page, all that match and each once."""
        self.patch(module, "PAGE", 3)
        names = [f"team/app{number}" for number in range(10)]
        for name in names:
            self.push_local(name, "v1")
        found, after = [], ""
        while True:
            page = self.house.settle(self.views.repositories("app", after))
            self.assertLessEqual(len(page["repositories"]), 3)
            found += page["repositories"]
            after = page["next"]
            if not after:
                break
        self.assertEqual(found, names)
        page = self.house.settle(self.views.repositories("app7", ""))
        self.assertEqual(page, {"repositories": ["team/app7"], "next": ""})

    def test_a_long_search(self) -> None:
        """It ends after a number of names, and says where to go on."""
        self.patch(module, "PAGE", 2)
        self.patch(module, "SEARCHED", 4)
        self.patch(module, "AT_ONCE", 2)
        for number in range(6):
            self.push_local(f"team/app{number}", "v1")
        page = self.house.settle(self.views.repositories("app5", ""))
        self.assertEqual(page, {"repositories": [], "next": "team/app3"})
        page = self.house.settle(self.views.repositories("app5", page["next"]))
        self.assertEqual(page["repositories"], ["team/app5"])

    def test_tags(self) -> None:
        """Page after page as well."""
        self.patch(module, "TAGS_PAGE", 1)
        self.put_image("corp", "v2")
        for tag in ("v1", "v2"):
            self.warm(f"corp/org/app:{tag}")
        page = self.house.settle(self.views.tags("corp/org/app", ""))
        self.assertEqual((page["tags"][0]["tag"], page["next"]), ("v1", "v1"))
        page = self.house.settle(self.views.tags("corp/org/app", "v1"))
        self.assertEqual([each["tag"] for each in page["tags"]], ["v2"])

    def test_a_ledger_that_is_away(self) -> None:
        """The rest is told all the same, and what is wrong."""
        away = fail(LedgerAway("gone"))
        self.patch(type(self.house.room), "preview", lambda *_, **__: away)
        found = self.house.settle(self.views.overview())
        self.assertEqual(found["problems"], {"disk": "gone"})
        self.assertIsNone(found["cache"]["disk"])
        self.assertIn("it cannot be told now", self.page("/"))

    def test_downloads(self) -> None:
        """Of very many some are told of, and how many there are."""
        one = self.glance.overview.downloads[0]
        self.evolve(downloads=(one,) * 200)
        cache = self.house.settle(self.views.overview())["cache"]
        self.assertEqual(len(cache["downloads"]), module.DOWNLOADS)
        self.assertEqual(cache["downloads_number"], 200)

    def test_failures(self) -> None:
        """A history that is away."""

        async def away(**_: object) -> None:
            raise HistoryAway("broken")

        self.patch(type(self.history), "samples", lambda _, **named: away(**named))
        with self.assertRaises(Unavailable):
            self.house.settle(self.views.history("day"))
        self.assertIn("The history cannot be read", self.page("/"))
