"""The files that a configuration names, checked before they are used.

A start and ``--check`` do the same checks, so both report the same keys. Nothing is
made or changed here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from txregistry.auth import check as auth
from txregistry.config.model import Config
from txregistry.remote.variables import egress_proxies


def file_problems(config: Config, environment: Mapping[str, str]) -> list[str]:
    """Find files, and egress proxies, that a start could not use.

    :return: one line each, which begins with the key or the variable.
    """
    name = config.auth.controller
    problems = _tls_problems(config) + [
        f"auth.{name}.{problem}"
        for problem in auth.file_problems(name, config.auth.parameters)
    ]
    problems += _root_problems(config)
    if config.proxy.is_cache:
        problems += _egress_problems(environment)
    return problems


def _tls_problems(config: Config) -> list[str]:
    if not _names_tls_files(config):
        return []
    # OpenSSL takes longer to import than all else that a check does.
    from txregistry.assembly.tlsfiles import tls_problems

    return tls_problems(config)


def _names_tls_files(config: Config) -> bool:
    http, redis = config.http.tls, config.redis.tls
    upstreams = [config.proxy, *config.proxy.upstreams.values()]
    pairs = [(tls.certificate, tls.key) for tls in (http, redis)]
    pairs += [(item.tls.certificate, item.tls.key) for item in upstreams]
    authorities = [upstream.tls.ca for upstream in upstreams]
    return any((*map(any, pairs), http.clientcas, redis.rootcas, *authorities))


def _root_problems(config: Config) -> list[str]:
    """Find directories of the storage that are none and cannot become one."""
    named = {"storage.statedirectory": config.storage.statedirectory}
    if config.storage.driver == "filesystem":
        root = str(config.storage.parameters.get("rootdirectory") or "/")
        named["storage.filesystem.rootdirectory"] = root
    return [
        f"{key}: {auth.nearest_existing(path)} is no directory"
        for key, path in named.items()
        if path and not os.path.isdir(auth.nearest_existing(path))
    ]


def _egress_problems(environment: Mapping[str, str]) -> list[str]:
    try:
        egress_proxies(environment)
    except ValueError as error:
        return [str(error)]
    return []
