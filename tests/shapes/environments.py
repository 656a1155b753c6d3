"""Environments, alone or beside a file, and what each comes to."""

from __future__ import annotations

from collections.abc import Mapping

from tests.shapes.shape import Shape, links

#: A file on which the environments below stand.
_PLAIN = """
version: 0.1
storage: {filesystem: {rootdirectory: "{dir}/data"}}
http: {addr: "{address}", secret: old}
auth: {htpasswd: {realm: r, path: "{dir}/passwd"}}
"""

_CACHE = """
version: 0.1
storage: {filesystem: {rootdirectory: "{dir}/data"}}
http: {addr: "{address}"}
proxy: {remoteurl: "{upstream}", username: u, password: p}
"""

#: Without a file: what every container of this kind is given.
_WHERE = {
    "REGISTRY_HTTP_ADDR": "{address}",
    "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "{dir}/data",
}

_LINKS = {**links("REGISTRY"), **links("REGISTRY_AUTH"), **links("REGISTRY_STORAGE")}

ENVIRONMENTS: Mapping[str, Shape] = {
    "a compose file, a registry with passwords and TLS": Shape(
        "",
        {
            **_WHERE,
            "REGISTRY_PROXY_REMOTEURL": "",
            "REGISTRY_HTTP_TLS_CERTIFICATE": "{dir}/tls.crt",
            "REGISTRY_HTTP_TLS_KEY": "{dir}/tls.key",
            "REGISTRY_AUTH": "htpasswd",
            "REGISTRY_AUTH_HTPASSWD_PATH": "{dir}/passwd",
            "REGISTRY_AUTH_HTPASSWD_REALM": "Registry Realm",
            "REGISTRY_STORAGE_DELETE_ENABLED": "true",
            "REGISTRY_LOG_LEVEL": "warn",
        },
        expected={
            "proxy.remoteurl": "",
            "auth.controller": "htpasswd",
            "storage.delete.enabled": True,
        },
        status=401,
    ),
    "a compose file, a cache": Shape(
        "",
        {
            **_WHERE,
            "REGISTRY_PROXY_REMOTEURL": "{upstream}",
            "REGISTRY_PROXY_USERNAME": "",
            "REGISTRY_PROXY_PASSWORD": "",
            "REGISTRY_PROXY_TTL": "1w",
            "REGISTRY_STORAGE_DELETE_ENABLED": "true",
            "REGISTRY_HTTP_HEADERS_Access-Control-Allow-Origin": "['http://ui.example']",
            "REGISTRY_VERSION": "2.8.3",
        },
        expected={
            "proxy.ttl": 604800.0,
            "http.headers": {"access-control-allow-origin": ("http://ui.example",)},
            "version": "0.1",
        },
        ignored=frozenset(["REGISTRY_VERSION"]),
    ),
    "a compose file with secrets": Shape(
        "",
        {
            **_WHERE,
            "REGISTRY_PROXY_REMOTEURL": "{upstream}",
            "REGISTRY_PROXY_USERNAME": "robot",
            "REGISTRY_PROXY_PASSWORD_FILE": "{dir}/secret",
            "REGISTRY_HTTP_SECRET_FILE": "{dir}/secret",
        },
        expected={"proxy.password": "hush-hush", "http.secret": "hush-hush"},
    ),
    "REGISTRY_PROXY_PASSWORD_FILE beside a password": Shape(
        _CACHE,
        {"REGISTRY_PROXY_PASSWORD_FILE": "{dir}/secret"},
        expected={"proxy.password": "hush-hush", "proxy.username": "u"},
    ),
    "REGISTRY_HTTP_SECRET_FILE beside a secret": Shape(
        _PLAIN,
        {"REGISTRY_HTTP_SECRET_FILE": "{dir}/secret"},
        expected={"http.secret": "hush-hush"},
        status=401,
    ),
    "REGISTRY_AUTH_FILE of podman": Shape(
        _PLAIN,
        {"REGISTRY_AUTH_FILE": "/run/containers/0/auth.json"},
        expected={"auth.controller": "htpasswd"},
        ignored=frozenset(["REGISTRY_AUTH_FILE"]),
        status=401,
    ),
    "names that go on below a plain key": Shape(
        _CACHE,
        {
            "REGISTRY_PROXY_REMOTEURL_FILE": "/run/secrets/url",
            "REGISTRY_HTTP_ADDR_FILE": "/run/secrets/addr",
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY_FILE": "/run/secrets/root",
            "REGISTRY_PROXY_TTL_SECONDS": "60",
        },
        expected={"proxy.ttl": 604800.0, "proxy.password": "p"},
        ignored=frozenset(
            [
                "REGISTRY_PROXY_REMOTEURL_FILE",
                "REGISTRY_HTTP_ADDR_FILE",
                "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY_FILE",
                "REGISTRY_PROXY_TTL_SECONDS",
            ]
        ),
    ),
    "REGISTRY_VERSION, the tag of an image": Shape(
        _PLAIN,
        {
            "REGISTRY_VERSION": "2.8.3",
            "REGISTRY_TAG": "2",
            "REGISTRY_IMAGE": "registry",
        },
        expected={"version": "0.1"},
        ignored=frozenset(["REGISTRY_VERSION", "REGISTRY_TAG", "REGISTRY_IMAGE"]),
        status=401,
    ),
    "links of Kubernetes": Shape(
        _PLAIN,
        _LINKS,
        expected={"auth.controller": "htpasswd", "storage.driver": "filesystem"},
        ignored=frozenset(_LINKS),
        status=401,
    ),
    "links of Kubernetes without a file": Shape(
        "",
        {**_WHERE, "REGISTRY_PROXY_REMOTEURL": "{upstream}", **_LINKS},
        expected={"auth.controller": "", "storage.driver": "filesystem"},
        ignored=frozenset(_LINKS),
    ),
}
