"""Walks through a bucket."""

from __future__ import annotations

from tests.storagedriver.s3.case import StoreCase
from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError


class ListingTests(StoreCase):
    """Whatever the pages."""

    def test_walk_of_more_than_a_page(self) -> None:
        """Whatever the pages, the order is that of names, and ``only`` is honoured."""
        names = ("a", "a-b", "a.c", "b0", "b1", "c")
        for name in names:
            for number in range(7):
                self.store.objects[f"t/{name}/{number}/data"] = b""
        for page_keys in (3, 10, 1000):
            self.driver._parts.listing.page_keys = page_keys
            found = self.ok(self.walked(lambda path: not path.endswith("/b1")))
            wanted = []
            for name in sorted(set(names) - {"b1"}):
                wanted.append(f"/t/{name}")
                for number in range(7):
                    wanted += [f"/t/{name}/{number}", f"/t/{name}/{number}/data"]
            self.assertEqual(found, wanted, page_keys)

    def walked(self, only: object) -> object:
        @deferred
        async def collect() -> list[str]:
            return [item.path async for item in self.driver.walk("/t", only)]

        return collect()

    def test_walk_tells_of_failures(self) -> None:
        """A page that cannot be had ends it, and is told."""
        told: list[DriverError] = []

        @deferred
        async def collect() -> list[str]:
            return [x.path async for x in self.driver.walk("/t", None, told.append)]

        self.store.broken = [(403, b"")]
        self.assertEqual(self.later(collect()), [])
        self.assertEqual([error.path for error in told], ["/t"])
