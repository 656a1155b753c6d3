"""Storage middleware ``cloudfront``: clients read from a distribution of CloudFront.

Its URLs are signed and end. Clients within AWS may be sent to the bucket itself, which
is nearer to them (``ipfilteredby``).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

import attrs
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import Agent
from zope.interface import implementer

from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import (
    FileRequest,
    IObjectKeys,
    IStorageDriver,
    IURLProvider,
)
from txregistry.interfaces.middleware import IStorageMiddleware, Services
from txregistry.middleware.aws import AwsAddresses
from txregistry.middleware.redirect import is_base_url
from txregistry.middleware.signing import Signer
from txregistry.spec.weburl import is_http_url

#: Seconds between two reads of the list, at least.
_MIN_SECONDS = 60.0

_FILTERS = ("none", "aws", "awsregion")


def make(options: Mapping[str, Any], services: Services) -> IStorageMiddleware:
    """Make it; the list of addresses is read when the daemon starts.

    :raise ValueError: an option cannot be used.
    :raise OSError: the key cannot be read.
    """
    base = _base(str(options["baseurl"]))
    if options["duration"] < 1:
        raise ValueError("options.duration: expected 1s or more")
    signer = _signer(str(options["privatekey"]), str(options["keypairid"]))
    nearby = _nearby(options, services)
    return CloudFront(base, signer, options["duration"], nearby, services.clock)


def _base(url: str) -> str:
    """Give the URL of a distribution; as for distribution, its scheme may be left out.

    :raise ValueError: it is none.
    """
    url = url if "://" in url else f"https://{url}"
    if not is_base_url(url):
        raise ValueError(
            "options.baseurl: expected an http or https URL, without user and query"
        )
    return url.rstrip("/") + "/"


def _signer(path: str, pair: str) -> Signer:
    try:
        with open(path, "rb") as file:
            return Signer.load(file.read(), pair)
    except OSError as error:
        reason = f"options.privatekey: cannot be read: {path}: {error.strerror}"
        raise OSError(reason) from error
    except ValueError as error:
        raise ValueError(f"options.privatekey: {error}: {path}") from error


def _nearby(options: Mapping[str, Any], services: Services) -> Container[str]:
    """Give the addresses of clients that read from the bucket."""
    kind, regions = options["ipfilteredby"], _regions(str(options["awsregion"]))
    if kind not in _FILTERS:
        raise ValueError(f"options.ipfilteredby: expected {' or '.join(_FILTERS)}")
    if kind == "awsregion" and not regions:
        raise ValueError("options.awsregion: is missing, and ipfilteredby wants it")
    if kind == "none":
        return ()
    if not is_http_url(str(options["iprangesurl"])):
        raise ValueError("options.iprangesurl: expected an http or https URL")
    if options["updatefrequency"] < _MIN_SECONDS:
        raise ValueError("options.updatefrequency: expected 1m or more")
    addresses = AwsAddresses(
        str(options["iprangesurl"]),
        regions if kind == "awsregion" else frozenset(),
        options["updatefrequency"],
        HTTPClient(Agent(services.reactor)),
        services.reactor,
        services.run,
    )
    services.start(addresses)
    return addresses


def _regions(text: str) -> frozenset[str]:
    names = (name.strip().lower() for name in text.split(","))
    return frozenset(name for name in names if name)


@implementer(IStorageMiddleware)
@attrs.frozen
class CloudFront:
    """Gives each file a signed URL of a distribution.

    :param base: its URL, which ends in a slash.
    :param seconds: for which a URL is good.
    :param nearby: addresses of clients that get the driver's own URL.
    """

    _base: str
    _signer: Signer
    _seconds: float
    _nearby: Container[str]
    _clock: IReactorTime

    def wrap(self, driver: IStorageDriver) -> IStorageDriver:
        """Give the driver with URLs of CloudFront."""
        return _CloudFrontDriver(driver, self)  # type: ignore[return-value]

    def is_nearby(self, address: str) -> bool:
        """Tell if a client reads from the bucket itself."""
        return address in self._nearby

    def url(self, key: str) -> str:
        """Give the URL of an object."""
        ends_at = int(self._clock.seconds() + self._seconds)
        return self._signer.sign(self._base + key, ends_at)


@implementer(IURLProvider)
class _CloudFrontDriver(Wrapper):
    def __init__(self, driver: IStorageDriver, cloudfront: CloudFront) -> None:
        super().__init__(driver)
        self._cloudfront = cloudfront
        self._key: Callable[[str], str] = _without_slash
        if IObjectKeys.providedBy(driver):
            self._key = driver.key
        self._has_urls = IURLProvider.providedBy(driver)

    def url(self, path: str, request: FileRequest) -> Deferred[str | None]:
        """Fire with the URL; nearby, with that of the driver, which may have none."""
        if not self._cloudfront.is_nearby(request.address):
            return succeed(self._cloudfront.url(self._key(path)))
        if not self._has_urls:
            return succeed(None)
        found: Deferred[str | None] = self.wrapped.url(path=path, request=request)
        return found


def _without_slash(path: str) -> str:
    return path.removeprefix("/")
