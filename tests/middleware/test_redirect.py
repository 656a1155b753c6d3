"""Files at another server."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.middleware.services import services
from txregistry.interfaces.driver import FileRequest, IStorageDriver, IURLProvider
from txregistry.interfaces.middleware import IStorageMiddleware
from txregistry.middleware.redirect import make
from txregistry.storagedriver.inmemory import MemoryDriver


class RedirectTests(SynchronousTestCase):
    """The middleware ``redirect``."""

    def url(self, base: str) -> str | None:
        made = make({"baseurl": base}, services())
        verifyObject(IStorageMiddleware, made)
        driver = made.wrap(driver=MemoryDriver(Clock()))
        verifyObject(IStorageDriver, driver)
        found = IURLProvider(driver).url(path="/docker/x", request=FileRequest("GET"))
        return self.successResultOf(found)

    def test_urls(self) -> None:
        """The path of a file follows the URL, as in distribution."""
        for base in ("http://a.example", "http://a.example/"):
            self.assertEqual(self.url(base), "http://a.example/docker/x")
        url = self.url("https://a.example:8443/some/where/")
        self.assertEqual(url, "https://a.example:8443/some/where/docker/x")

    def test_refused(self) -> None:
        """What is no URL, or has a query, is none that a path can follow."""
        for base in (
            "",
            "a.example",
            "ftp://a",
            "http://",
            "http://a/?b",
            "http://a#b",
            "http://u:p@a",
        ):
            error = self.assertRaises(ValueError, make, {"baseurl": base}, services())
            self.assertTrue(str(error).startswith("options.baseurl: "), base)
