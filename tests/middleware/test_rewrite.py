"""URLs by another name."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.locating import LocatingDriver
from tests.middleware.services import services
from txregistry.interfaces.driver import FileRequest, IStorageDriver, IURLProvider
from txregistry.middleware.rewrite import make
from txregistry.storagedriver.inmemory import MemoryDriver


def made(**given: str) -> Any:
    empty = {"scheme": "", "host": "", "trimpathprefix": ""}
    return make({**empty, **given}, services())


class RewriteTests(SynchronousTestCase):
    """The middleware ``rewrite``."""

    def url(self, store: str, **given: str) -> str | None:
        driver = LocatingDriver(Clock())
        driver.store = store
        wrapped: Any = made(**given).wrap(driver=driver)
        self.assertTrue(IStorageDriver.providedBy(wrapped))
        found = wrapped.url(path="/docker/x", request=FileRequest("GET"))
        return self.successResultOf(found)

    def test_parts(self) -> None:
        """Each part is changed by itself; the query with its signature stays."""
        store = "http://bucket.s3.example:1/root"
        for given, expected in (
            ({}, "http://bucket.s3.example:1/root/docker/x?signed"),
            ({"scheme": "https"}, "https://bucket.s3.example:1/root/docker/x?signed"),
            ({"host": "cdn:2"}, "http://cdn:2/root/docker/x?signed"),
            (
                {"trimpathprefix": "/root"},
                "http://bucket.s3.example:1/docker/x?signed",
            ),
            (
                {"trimpathprefix": "/root/"},
                "http://bucket.s3.example:1/docker/x?signed",
            ),
            (
                {"trimpathprefix": "/other"},
                "http://bucket.s3.example:1/root/docker/x?signed",
            ),
        ):
            self.assertEqual(self.url(store, **given), expected, given)

    def test_no_url(self) -> None:
        """No URL stays none, and a driver without any stays as it is."""
        self.assertIsNone(self.url("", host="cdn"))
        driver = MemoryDriver(Clock())
        self.assertIs(made(host="cdn").wrap(driver=driver), driver)
        self.assertFalse(IURLProvider.providedBy(driver))

    def test_refused(self) -> None:
        """Options that no URL can have are told with their key."""
        for key, value in (
            ("scheme", "ftp"),
            ("scheme", "https://"),
            ("host", "a/b"),
            ("host", "user@a"),
            ("host", "a?b"),
        ):
            error = self.assertRaises(ValueError, lambda k=key, v=value: made(**{k: v}))
            self.assertTrue(str(error).startswith(f"options.{key}: "), value)
