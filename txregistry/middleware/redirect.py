"""Storage middleware ``redirect``: another server has the files of the storage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import FileRequest, IStorageDriver, IURLProvider
from txregistry.interfaces.middleware import IStorageMiddleware, Services
from txregistry.spec.weburl import is_http_url


def make(options: Mapping[str, Any], services: Services) -> IStorageMiddleware:
    """Make it of ``baseurl``; a file is at that URL with the path of the file after it.

    :raise ValueError: it is no URL, or one with a query.
    """
    base = str(options["baseurl"])
    if not is_base_url(base):
        raise ValueError(
            "options.baseurl: expected an http or https URL, without user and query"
        )
    return RedirectMiddleware(base.rstrip("/"))


def is_base_url(url: str) -> bool:
    """Tell if paths can follow a URL, and whoever gets it learns no password."""
    return (
        is_http_url(url) and not re.search("[?#]", url) and not urlsplit(url).username
    )


@implementer(IStorageMiddleware)
@attrs.frozen
class RedirectMiddleware:
    """Gives each file a URL below one."""

    _base: str

    def wrap(self, driver: IStorageDriver) -> IStorageDriver:
        """Give the driver with URLs."""
        return _RedirectedDriver(driver, self._base)  # type: ignore[return-value]


@implementer(IURLProvider)
class _RedirectedDriver(Wrapper):
    def __init__(self, driver: IStorageDriver, base: str) -> None:
        super().__init__(driver)
        self._base = base

    def url(self, path: str, request: FileRequest) -> Deferred[str | None]:
        """Fire with the URL, whoever asks."""
        return succeed(f"{self._base}{path}")
