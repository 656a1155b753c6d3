"""Problems of ``proxy`` and its upstreams."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from txregistry.config.proxy import Proxy, Upstream
from txregistry.config.trust import check_realms, check_targets
from txregistry.spec.errors import NameInvalid
from txregistry.spec.globs import Glob
from txregistry.spec.onerror import problems_of_rules
from txregistry.spec.platforms import WantedPlatform
from txregistry.spec.ratelimit import parse_percent
from txregistry.spec.reference import RepositoryName
from txregistry.spec.weburl import is_http_url

#: The path that an upstream's URL may have between its host and ``/v2/``.
_BASE_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/*")

#: A host with an optional port, as clients name an upstream.
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")

_TIMEOUTS = ("connecttimeout", "firstbytetimeout", "idletimeout", "stalltimeout")


def check_proxy(proxy: Proxy) -> list[str]:
    """Find problems of the upstreams of a cache."""
    problems = _check_pairs("proxy", proxy)
    if proxy.remoteurl:
        problems += _check_upstream("proxy", proxy)
    for key, upstream in proxy.upstreams.items():
        path = f"proxy.upstreams.{key}"
        problems += _check_key(path, key) + _check_pairs(path, upstream)
        problems += _check_upstream(path, upstream)
    problems += _check_globs("proxy.local", proxy.local)
    problems += _check_hosts(proxy) + _check_warm(proxy)
    if proxy.local and not proxy.is_cache:
        problems.append("proxy.local: without an upstream everything is local")
    return problems


def _check_pairs(path: str, upstream: Upstream) -> list[str]:
    problems = []
    if bool(upstream.tls.certificate) != bool(upstream.tls.key):
        problems.append(f"{path}.tls: certificate and key go together")
    if upstream.username and upstream.exec.command:
        problems.append(f"{path}.exec.command: excludes {path}.username")
    return problems


def _check_upstream(path: str, upstream: Upstream) -> list[str]:
    problems = []
    if upstream.remoteurl:
        problems += _check_url(f"{path}.remoteurl", upstream.remoteurl)
    for index, url in enumerate(upstream.mirrors):
        problems += _check_url(f"{path}.mirrors[{index}]", url)
    problems += check_targets(upstream.trustedtargets, path)
    problems += check_realms(upstream.trustedrealms, path)
    if not re.fullmatch(r"[\x20-\x7e]*", upstream.useragent):
        problems.append(f"{path}.useragent: expected one line of plain characters")
    for name in _TIMEOUTS:
        if getattr(upstream, name) <= 0:
            problems.append(f"{path}.{name}: expected more than 0")
    problems += [
        f"{path}.onerror.{told}" for told in problems_of_rules(upstream.onerror)
    ]
    problems += _check_reserve(f"{path}.ratelimit.reserve", upstream.ratelimit.reserve)
    problems += _check_globs(f"{path}.allow", upstream.allow)
    problems += _check_globs(f"{path}.deny", upstream.deny)
    problems += [
        f"{path}.hosts[{index}]: expected a host with an optional port, found {host!r}"
        for index, host in enumerate(upstream.hosts)
        if not _HOST.fullmatch(host)
    ]
    return problems


def _check_reserve(path: str, reserve: str) -> list[str]:
    try:
        parse_percent(reserve)
    except ValueError as error:
        return [f"{path}: {error}, found {reserve!r}"]
    return []


def _check_key(path: str, key: str) -> list[str]:
    """Check a key: it is a component of names, and perhaps a host."""
    try:
        RepositoryName.parse(f"{key}/x")
    except NameInvalid:
        return [f"{path}: its key cannot begin the name of a repository"]
    if "/" in key or key != key.lower():
        return [f"{path}: expected a key of one component in lower case"]
    return []


def _check_globs(path: str, globs: Iterable[str]) -> list[str]:
    problems = []
    for index, text in enumerate(globs):
        try:
            Glob.parse(text)
        except ValueError as error:
            problems.append(f"{path}[{index}]: {error}, found {text!r}")
    return problems


def _check_warm(proxy: Proxy) -> list[str]:
    problems, warm = [], proxy.warm
    for index, text in enumerate(warm.platforms):
        try:
            WantedPlatform.parse(text)
        except ValueError as error:
            problems.append(f"proxy.warm.platforms[{index}]: {error}")
    if warm.interval <= 0:
        problems.append("proxy.warm.interval: expected more than 0")
    if (warm.images or warm.file) and not proxy.is_cache:
        problems.append("proxy.warm: there is no upstream to fetch from")
    return problems


def _check_hosts(proxy: Proxy) -> list[str]:
    """Check that no two upstreams are called the same."""
    problems, owners = [], dict[str, str]()
    for path, host in _named(proxy):
        other = owners.setdefault(host.lower(), path)
        if other != path:
            problems.append(f"{path}.hosts: {host} is another name of {other}")
    return problems


def _named(proxy: Proxy) -> Iterator[tuple[str, str]]:
    for key, upstream in proxy.upstreams.items():
        path = f"proxy.upstreams.{key}"
        yield path, key
        yield from ((path, host) for host in upstream.hosts)
    yield from (("proxy", host) for host in proxy.hosts)


def _check_url(told: str, url: str) -> list[str]:
    # The URL itself is not repeated: it may hold a password.
    if not is_http_url(url) or not url.isascii():
        return [f"{told}: expected an http or https URL"]
    parts = urlsplit(url)
    if parts.query or parts.fragment or "@" in parts.netloc:
        return [f"{told}: expected scheme, host, port and path only"]
    if not _BASE_PATH.fullmatch(parts.path):
        return [f"{told}: its path has characters that no path has"]
    if parts.path.rstrip("/").endswith("/v2"):
        return [f"{told}: leave out /v2, which is added to each question"]
    return []
