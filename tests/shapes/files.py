"""Files of others' products, and what each comes to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.shapes.shape import Shape, links


def _file(name: str) -> str:
    return (Path(__file__).parent / f"{name}.yml").read_text()


FILES: Mapping[str, Shape] = {
    "distribution-2-example": Shape(
        _file("distribution-2-example"),
        expected={
            "log.fields": {"service": "registry"},
            "storage.cache.blobdescriptor": "inmemory",
            "http.headers": {"X-Content-Type-Options": ("nosniff",)},
            "health.storagedriver.threshold": 3,
        },
    ),
    "distribution-3-example": Shape(
        _file("distribution-3-example"),
        expected={"auth.controller": "htpasswd"},
        ignored=frozenset(["storage.tag"]),
        status=401,
    ),
    "distribution-3-dev": Shape(
        _file("distribution-3-dev"),
        expected={
            "log.level": "debug",
            "storage.delete.enabled": True,
            "storage.maintenance.uploadpurging.enabled": False,
            "http.debug.prometheus.path": "/metrics",
        },
        ignored=frozenset(["storage.tag"]),
    ),
    "distribution-2-cache": Shape(
        _file("distribution-2-cache"),
        expected={
            "redis.addrs": ("localhost:1",),
            "redis.poolsize": 64,
            "redis.dialtimeout": 0.01,
            "notifications.events.includereferences": True,
            "proxy.username": "username",
            "proxy.ttl": 604800.0,
        },
        ignored=frozenset(
            [
                "proxy.cacheTTL",
                "redis.pool.idletimeout",
                "redis.pool.maxidle",
                "redis.writetimeout",
            ]
        ),
    ),
    "distribution-2.0": Shape(
        _file("distribution-2.0"),
        expected={
            "log.level": "debug",
            "storage.cache.blobdescriptor": "inmemory",
        },
        ignored=frozenset(["reporting"]),
    ),
    "harbor-installer": Shape(
        _file("harbor-installer"),
        expected={
            "storage.cache.blobdescriptor": "redis",
            "redis.password": "",
            "redis.db": 1,
            "redis.readtimeout": 10.0,
            "validation.disabled": True,
            "compatibility.schema1.enabled": True,
        },
        ignored=frozenset(
            ["redis.pool.idletimeout", "redis.pool.maxidle", "redis.writetimeout"]
        ),
        status=401,
    ),
    "harbor-tls": Shape(
        _file("harbor-tls"),
        expected={
            "http.tls.minimumtls": "tls1.2",
            "storage.redirect.disable": True,
        },
        status=401,
    ),
    "harbor-chart": Shape(
        _file("harbor-chart"),
        {"REGISTRY_HTTP_SECRET": "x", "REGISTRY_REDIS_PASSWORD": ""},
        expected={
            "http.secret": "x",
            "redis.password": "",
            "auth.controller": "token",
            "notifications.endpoints.0.timeout": 3.0,
        },
        status=401,
    ),
    "bitnami-harbor": Shape(
        _file("bitnami-harbor"),
        {
            "BITNAMI_DEBUG": "false",
            "REGISTRY_HTTP_SECRET": "0123",
            "REGISTRY_REDIS_PASSWORD": "",
            "REGISTRY_STORAGE_CACHE": "{layerinfo: redis}",
        },
        expected={
            "http.secret": "0123",
            "storage.cache.blobdescriptor": "redis",
            "storage.maintenance.uploadpurging.age": 604800.0,
        },
        status=401,
    ),
    "gitlab-omnibus": Shape(
        _file("gitlab-omnibus"),
        expected={
            "storage.driver": "filesystem",
            "storage.delete.enabled": True,
            "auth.parameters.issuer": "omnibus-gitlab-issuer",
            "notifications.endpoints.0.headers": {"Authorization": ("token",)},
        },
        status=401,
    ),
    "gitlab-chart": Shape(
        _file("gitlab-chart"),
        {"REGISTRY_HTTP_SECRET": "c2VjcmV0", "REGISTRY_PORT": "tcp://10.0.0.1:5000"},
        expected={
            "http.secret": "c2VjcmV0",
            "http.draintimeout": 0.0,
            "http.tls.certificate": "",
            "validation.manifests.urls.allow": (),
            "storage.maintenance.uploadpurging.enabled": True,
            "storage.maintenance.readonly.enabled": False,
        },
        ignored=frozenset(
            [
                "REGISTRY_PORT",
                "database",
                "gc",
                "http.debug.tls",
                "log.accesslog.formatter",
                "profiling",
                "redis.cache",
                "validation.manifests.payloadsizelimit",
                "validation.manifests.referencelimit",
            ]
        ),
        status=401,
    ),
    "docker-registry-chart": Shape(
        _file("docker-registry-chart"),
        {
            "REGISTRY_HTTP_SECRET": "N7hX0sPq1yLw",
            "REGISTRY_AUTH": "htpasswd",
            "REGISTRY_AUTH_HTPASSWD_REALM": "Registry Realm",
            "REGISTRY_AUTH_HTPASSWD_PATH": "{dir}/passwd",
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "{dir}/data",
            "REGISTRY_STORAGE_DELETE_ENABLED": "true",
            **links("REGISTRY"),
        },
        expected={
            "storage.driver": "filesystem",
            "storage.cache.blobdescriptor": "inmemory",
            "auth.parameters.realm": "Registry Realm",
            "storage.delete.enabled": True,
        },
        ignored=frozenset(links("REGISTRY")),
        status=401,
    ),
    "docker-registry-chart-cache": Shape(
        _file("docker-registry-chart-cache"),
        {
            "REGISTRY_HTTP_SECRET": "N7hX0sPq1yLw",
            "REGISTRY_HTTP_TLS_CERTIFICATE": "{dir}/tls.crt",
            "REGISTRY_HTTP_TLS_KEY": "{dir}/tls.key",
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "{dir}/data",
            "REGISTRY_PROXY_REMOTEURL": "{upstream}",
            "REGISTRY_PROXY_USERNAME": "",
            "REGISTRY_PROXY_PASSWORD": "",
        },
        expected={
            "proxy.username": "",
            "proxy.password": "",
            "http.secret": "N7hX0sPq1yLw",
        },
    ),
}
