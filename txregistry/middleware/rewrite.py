"""Storage middleware ``rewrite``: clients reach the storage by another name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import FileRequest, IStorageDriver, IURLProvider
from txregistry.interfaces.middleware import IStorageMiddleware, Services

_log = Logger(namespace="txregistry.middleware")


def make(options: Mapping[str, Any], services: Services) -> IStorageMiddleware:
    """Make it of ``scheme``, ``host`` and ``trimpathprefix``; an empty one is unused.

    :raise ValueError: one of them cannot be part of a URL.
    """
    scheme, host = str(options["scheme"]), str(options["host"])
    if scheme not in ("", "http", "https"):
        raise ValueError("options.scheme: expected http or https")
    if urlsplit(f"//{host}").netloc != host or "@" in host:
        raise ValueError("options.host: expected a host, with a port if it has one")
    return Rewriting(scheme, host, str(options["trimpathprefix"]))


@implementer(IStorageMiddleware)
@attrs.frozen
class Rewriting:
    """Changes the URLs of a driver; see :meth:`rewritten`."""

    _scheme: str = ""
    _host: str = ""
    _prefix: str = ""

    def wrap(self, driver: IStorageDriver) -> IStorageDriver:
        """Give the driver with other URLs; a driver without any stays as it is."""
        if not IURLProvider.providedBy(driver):
            _log.warn(
                "middleware rewrite: has no effect, as the storage {name} has no URLs",
                name=driver.name,
            )
            return driver
        return _RewrittenDriver(driver, self)  # type: ignore[return-value]

    def rewritten(self, url: str) -> str:
        """Give another scheme and host to a URL, and take off a prefix of its path."""
        parts = urlsplit(url)
        path = parts.path.removeprefix(self._prefix)
        if not path.startswith("/"):
            path = f"/{path}"
        return urlunsplit(
            parts._replace(
                scheme=self._scheme or parts.scheme,
                netloc=self._host or parts.netloc,
                path=path,
            )
        )


class _RewrittenDriver(Wrapper):
    def __init__(self, driver: IStorageDriver, rewriting: Rewriting) -> None:
        super().__init__(driver)
        self._rewriting = rewriting

    @deferred
    async def url(self, path: str, request: FileRequest) -> str | None:
        """Fire with the changed URL, if there is one."""
        found: str | None = await self.wrapped.url(path=path, request=request)
        return found and self._rewriting.rewritten(found)
