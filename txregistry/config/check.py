"""Problems of values that are each of the right type."""

from __future__ import annotations

import re
from typing import cast

from txregistry.config.access import Auth
from txregistry.config.admincheck import admin_remarks, check_admin
from txregistry.config.bounds import out_of_bounds
from txregistry.config.cache import check_cache
from txregistry.config.ciphers import CIPHER_SUITES, CLIENT_AUTH
from txregistry.config.health import HealthSection
from txregistry.config.http import Tls
from txregistry.config.model import Config
from txregistry.config.notifications import EndpointSection
from txregistry.config.proxycheck import check_proxy
from txregistry.config.redis import RedisSection
from txregistry.config.validation import Validation
from txregistry.spec.patterns import Pattern
from txregistry.spec.proxies import TrustedProxies
from txregistry.spec.signing import ALGORITHMS
from txregistry.spec.weburl import is_http_url

#: A pass begins at most this often.
_MIN_SCRUB_SECONDS = 3600.0


def check(config: Config) -> list[str]:
    """Find problems of values that are each of the right type."""
    problems = [
        *out_of_bounds(config),
        *_check_socket_mode(config.http.socketmode),
    ]
    if config.http.net == "tcp":
        problems += _check_address("http.addr", config.http.addr)
    elif config.http.reuseport:
        problems.append("http.reuseport: expects http.net to be tcp")
    problems += check_admin(config.http)
    problems += _check_socket_mode(
        config.http.admin.socketmode, "http.admin.socketmode"
    )
    if config.http.admin.addr and not config.http.admin.addr.startswith("/"):
        problems += _check_address("http.admin.addr", config.http.admin.addr)
    if config.http.debug.addr:
        problems += _check_address("http.debug.addr", config.http.debug.addr)
    problems += _check_pairs(config) + _check_storage(config)
    problems += _check_tls(config.http.tls)
    problems += _check_validation(config.validation) + _check_auth(config.auth)
    problems += _check_networks("http.trustedproxies", config.http.trustedproxies)
    problems += _check_health(config.health)
    problems += _check_endpoints(config.notifications.endpoints)
    problems += check_proxy(config.proxy)
    problems += check_cache(config.cache, config.proxy.is_cache)
    if not re.fullmatch(r"[A-Za-z0-9._~/-]*", config.http.prefix):
        problems.append("http.prefix: expected a path of plain characters")
    return problems


def _check_pairs(config: Config) -> list[str]:
    problems = []
    if bool(config.http.tls.certificate) != bool(config.http.tls.key):
        problems.append("http.tls: certificate and key go together")
    return problems


def _check_storage(config: Config) -> list[str]:
    problems = []
    storage = config.storage
    cache = storage.cache.blobdescriptor
    if cache == "redis":
        problems += _check_redis(config.redis)
    threads = storage.parameters.get("maxthreads", 1)
    if not re.fullmatch("0*[1-9][0-9]*", str(threads)):
        problems.append(f"storage.{storage.driver}.maxthreads: expected 1 or more")
    root = storage.parameters.get("rootdirectory", "/")
    if not isinstance(root, str) or not (root or storage.driver == "s3"):
        problems.append(f"storage.{storage.driver}.rootdirectory: expected text")
    if storage.maintenance.scrub.interval < _MIN_SCRUB_SECONDS:
        problems.append("storage.maintenance.scrub.interval: expected 1h or more")
    return problems


def _check_redis(redis: RedisSection) -> list[str]:
    if not redis.addrs:
        return ["redis.addrs: is missing, and storage.cache.blobdescriptor is redis"]
    problems = []
    for index, address in enumerate(redis.addrs):
        problems += _check_address(f"redis.addrs[{index}]", address)
    if len(redis.addrs) > 1 and not redis.mastername:
        problems.append(
            "redis.addrs: a cluster cannot be asked, as its keys lie on several"
            " servers; name the one server that takes writes, or redis.mastername and"
            " the addresses of Sentinel"
        )
    if bool(redis.tls.certificate) != bool(redis.tls.key):
        problems.append("redis.tls: certificate and key go together")
    return problems


def _check_socket_mode(mode: str, path: str = "http.socketmode") -> list[str]:
    if re.fullmatch("0?[0-7]{3}", mode):
        return []
    return [f"{path}: expected an octal mode such as 0660"]


#: An optional name or address, with IPv6 in brackets, and a port.
_ADDRESS = re.compile(r"(?:[^\s/@:\[\]]*|\[[^\s/@\[\]]*\]):([0-9]{1,5})")


def _check_address(path: str, address: str) -> list[str]:
    found = _ADDRESS.fullmatch(address)
    if found and int(found[1]) < 65536:
        return []
    # The value may be a URL with a password.
    shown = "a URL" if "://" in address or "@" in address else repr(address)
    return [f"{path}: expected host:port, found {shown}"]


def _check_networks(path: str, networks: tuple[str, ...]) -> list[str]:
    problems = []
    for index, text in enumerate(networks):
        try:
            TrustedProxies.parse([text])
        except ValueError:
            expected = "expected an address or a network"
            problems.append(f"{path}[{index}]: {expected}, found {text!r}")
    return problems


def _check_tls(tls: Tls) -> list[str]:
    problems = [
        f"http.tls.ciphersuites[{index}]: {name!r} is no cipher suite that is safe"
        for index, name in enumerate(tls.ciphersuites)
        if name not in CIPHER_SUITES
    ]
    # Without a place for its certificates it is off.
    if tls.letsencrypt.cachefile or tls.letsencrypt.email:
        problems.append(
            "http.tls.letsencrypt: no maintained ACME client fits this process; let"
            " certbot renew http.tls.certificate, which is loaded anew when it changes"
        )
    return problems


def _check_health(health: HealthSection) -> list[str]:
    problems = []
    for index, item in enumerate(health.tcp):
        problems += _check_address(f"health.tcp[{index}].addr", item.addr)
    for index, asked in enumerate(health.http):
        problems += _check_url(f"health.http[{index}].uri", asked.uri)
    return problems


def _check_endpoints(endpoints: tuple[EndpointSection, ...]) -> list[str]:
    wanted = {
        index: endpoint
        for index, endpoint in enumerate(endpoints)
        if not endpoint.disabled
    }
    names = [endpoint.name for endpoint in wanted.values()]
    problems = [
        f"notifications.endpoints: more than one is named {name!r}"
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    for index, endpoint in wanted.items():
        problems += _check_url(f"notifications.endpoints[{index}].url", endpoint.url)
    return problems


def _check_url(path: str, url: str) -> list[str]:
    # The value is not repeated: it may hold a password.
    return [] if is_http_url(url) else [f"{path}: expected an http or https URL"]


def _check_auth(auth: Auth) -> list[str]:
    if auth.controller == "htpasswd" and not auth.parameters.get("path"):
        return ["auth.htpasswd.path: is missing"]
    if auth.controller != "token":
        return []
    problems = []
    if not auth.parameters.get("rootcertbundle") and not auth.parameters.get("jwks"):
        problems.append("auth.token: rootcertbundle or jwks is missing")
    algorithms = cast("tuple[str, ...]", auth.parameters.get("signingalgorithms", ()))
    problems += [
        f"auth.token.signingalgorithms: {name!r} is no algorithm"
        for name in algorithms
        if name not in ALGORITHMS
    ]
    return problems


def _check_validation(validation: Validation) -> list[str]:
    path = "validation.manifests"
    problems = []
    urls = validation.manifests.urls
    for name, patterns in (("allow", urls.allow), ("deny", urls.deny)):
        for index, pattern in enumerate(patterns):
            try:
                Pattern.parse(pattern)
            except ValueError as error:
                problems.append(f"{path}.urls.{name}[{index}]: {error}")
    return problems


def remarks(config: Config) -> list[str]:
    """Give warnings about settings with an unexpected effect."""
    found = []
    cache = config.storage.cache.blobdescriptor
    if cache != "redis" and config.redis != RedisSection():
        found.append("redis: is asked only as storage.cache.blobdescriptor")
    if config.http.reuseport and config.storage.is_exclusive:
        found.append(
            "http.reuseport: a second process needs storage.filesystem.shared: true"
        )
    if config.http.tls.clientauth != CLIENT_AUTH[-1] and not config.http.tls.clientcas:
        found.append("http.tls.clientauth: has no effect without http.tls.clientcas")
    return found + admin_remarks(config.http, bool(config.auth.controller))
