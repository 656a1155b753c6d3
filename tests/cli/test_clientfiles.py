"""Files of clients."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli.clientfiles import (
    CLIENTS,
    CacheAddress,
    CachedHost,
    cached_hosts,
    containerd_files,
    docker_files,
    k3s_files,
    podman_files,
)
from txregistry.config.read import read_config

PLAIN = CacheAddress("http://cache.example:5000")
SECURE = CacheAddress("https://cache.example", "/etc/ca.pem")
HOSTS = [CachedHost("docker.io", ""), CachedHost("r.corp.example:5000", "corp/")]


class FilesTests(SynchronousTestCase):
    """Each can be read by what reads its kind, and says what it has to."""

    def test_hosts(self) -> None:
        """Each upstream by the hosts that clients have, Docker Hub by one."""
        proxy: dict[str, Any] = {
            "remoteurl": "https://registry-1.docker.io",
            "upstreams": {
                "ghcr.io": {},
                "corp": {
                    "remoteurl": "https://x.example/base",
                    "hosts": ["r.corp.example:5000"],
                },
                "nameless": {"remoteurl": "https://y.example/base"},
            },
        }
        mapping = {"version": "0.1", "storage": "inmemory", "proxy": proxy}
        found = cached_hosts(read_config(mapping)[0].proxy)
        expected = [CachedHost("docker.io", ""), CachedHost("ghcr.io", "ghcr.io/")]
        expected.append(CachedHost("r.corp.example:5000", "corp/"))
        self.assertEqual(found, expected)
        proxy["remoteurl"] = "http://localhost:5001"
        mapping["proxy"] = {"remoteurl": "http://localhost"}
        (default,) = cached_hosts(read_config(mapping)[0].proxy)
        self.assertEqual(default, CachedHost("localhost", ""))

    def test_containerd(self) -> None:
        """A directory for each host; the path stays, as ``ns=`` says which it is."""
        hub, corp = containerd_files(PLAIN, HOSTS)
        self.assertEqual(hub.path, "/etc/containerd/certs.d/docker.io/hosts.toml")
        found = tomllib.loads(hub.text)
        self.assertEqual(found["server"], "https://registry-1.docker.io")
        settings = found["host"]["http://cache.example:5000"]
        self.assertEqual(settings, {"capabilities": ["pull", "resolve"]})
        self.assertNotIn("server", tomllib.loads(corp.text))
        (found,) = [*containerd_files(SECURE, HOSTS[:1])]
        settings = tomllib.loads(found.text)["host"]["https://cache.example"]
        self.assertEqual(settings["ca"], "/etc/ca.pem")
        prefixed = CacheAddress("https://cache.example/registry")
        (found,) = [*containerd_files(prefixed, HOSTS[:1])]
        settings = tomllib.loads(found.text)["host"][
            "https://cache.example/registry/v2"
        ]
        self.assertTrue(settings["override_path"])

    def test_docker(self) -> None:
        """A mirror of Docker Hub, which has to be the default upstream."""
        (found,) = docker_files(PLAIN, HOSTS)
        self.assertEqual(
            json.loads(found.text),
            {
                "registry-mirrors": ["http://cache.example:5000"],
                "insecure-registries": ["cache.example:5000"],
            },
        )
        (found,) = docker_files(SECURE, HOSTS)
        self.assertNotIn("insecure-registries", json.loads(found.text))
        error = self.assertRaises(ValueError, list, docker_files(PLAIN, HOSTS[1:]))
        self.assertIn("cache.example:5000/KEY/NAME", str(error))

    def test_podman(self) -> None:
        """Mirrors by path."""
        (found,) = podman_files(PLAIN, HOSTS)
        registries = tomllib.loads(found.text)["registry"]
        self.assertEqual(
            [item["prefix"] for item in registries],
            ["docker.io", "r.corp.example:5000"],
        )
        mirrors = [item["mirror"][0] for item in registries]
        self.assertEqual(
            [item["location"] for item in mirrors],
            ["cache.example:5000", "cache.example:5000/corp"],
        )
        self.assertTrue(mirrors[0]["insecure"])
        (found,) = podman_files(SECURE, HOSTS)
        (mirror,) = tomllib.loads(found.text)["registry"][0]["mirror"]
        self.assertNotIn("insecure", mirror)

    def test_k3s(self) -> None:
        """One file for all."""
        (found,) = k3s_files(PLAIN, HOSTS)
        mirrors = yaml.safe_load(found.text)["mirrors"]
        self.assertEqual(
            mirrors["r.corp.example:5000"]["endpoint"], ["http://cache.example:5000"]
        )
        (found,) = k3s_files(SECURE, HOSTS)
        configs = yaml.safe_load(found.text)["configs"]
        self.assertEqual(configs["cache.example"]["tls"]["ca_file"], "/etc/ca.pem")

    def test_prefix(self) -> None:
        """Clients that know no path are told so."""
        address = CacheAddress("https://cache.example/registry")
        for client in ("docker", "podman"):
            self.assertRaises(ValueError, list, CLIENTS[client](address, HOSTS))
