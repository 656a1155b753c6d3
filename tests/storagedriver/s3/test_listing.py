"""Walks through a bucket."""

from __future__ import annotations

from tests.storagedriver.s3.case import StoreCase
from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError
from txregistry.storagedriver.s3.answers import BadAnswer


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

    def test_odd_keys(self) -> None:
        """Keys of others that no document holds as they are spoil no list."""
        odd = ("d/\x01", "d/a b", "d/a+b", "d/a%2Bb", "d/<&>", "d/\u00e9", "d/e\x0b/x")
        for key in (*odd, "d/a", "d/b/c"):
            self.store.objects[key] = b""
        self.driver._parts.listing.page_keys = 2
        self.assertEqual(self.ok(self.driver.list("/d")), ["/d/a", "/d/b"])
        found = self.ok(self.keys("d/"))
        self.assertEqual(found, sorted((*odd, "d/a", "d/b/c")))
        self.ok(self.driver.delete("/d"))
        self.assertEqual(self.store.objects, {})

    def keys(self, prefix: str) -> object:
        @deferred
        async def collect() -> list[str]:
            pages = self.driver._parts.listing.pages(prefix)
            return [item.key async for page in pages for item in page.objects]

        return collect()

    def test_list_that_breaks_off(self) -> None:
        """One that has more, but not where, or where it was, is no whole list."""
        for token in ("", "<NextContinuationToken>t</NextContinuationToken>"):
            page = (
                "<ListBucketResult><Contents><Key>d/a</Key></Contents>"
                f"<IsTruncated>true</IsTruncated>{token}</ListBucketResult>"
            )
            self.store.broken = [(200, page.encode())] * 3
            self.failureResultOf(self.keys("d/"), BadAnswer)
            self.store.broken.clear()

    def test_empty_page(self) -> None:
        """A page without an object is not the end, if there is another one."""
        empty = (
            b"<ListBucketResult><IsTruncated>true</IsTruncated>"
            b"<NextContinuationToken>64</NextContinuationToken></ListBucketResult>"
        )
        self.store.objects["d/a"] = b""
        missing = b"<Error><Code>NoSuchKey</Code></Error>"
        self.store.broken = [(404, missing), (200, empty)]
        self.assertTrue(self.ok(self.driver.stat("/d")).is_directory)
