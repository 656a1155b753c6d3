"""The files of ``etc/examples`` are in the form that their programs want."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.loading import load

TOP = Path(__file__).parents[1]
EXAMPLES = TOP / "etc" / "examples"
#: Where the cache is in all of them.
CACHE = "http://127.0.0.1:5000"


def text_of(name: str) -> str:
    return (EXAMPLES / name).read_text()


def objects() -> Iterator[dict[str, Any]]:
    """Give all objects of Kubernetes."""
    for path in sorted((EXAMPLES / "kubernetes").iterdir()):
        yield from yaml.safe_load_all(path.read_text())


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (
        x for x in objects() if (x["kind"], x["metadata"]["name"]) == (kind, name)
    )
    return found


class ClientTests(SynchronousTestCase):
    """Files of clients; those that can run here are run in ``tests.integration``."""

    def test_docker(self) -> None:
        """dockerd has the cache as its mirror."""
        found = json.loads(text_of("docker/daemon.json"))
        self.assertEqual(found, {"registry-mirrors": [CACHE]})

    def test_containerd(self) -> None:
        """containerd reads certs.d, which names the cache and permits it to resolve."""
        config = tomllib.loads(text_of("containerd/config.toml"))
        plugin = config["plugins"]["io.containerd.grpc.v1.cri"]
        self.assertEqual(plugin["registry"]["config_path"], "/etc/containerd/certs.d")
        hosts = tomllib.loads(text_of("containerd/certs.d/docker.io/hosts.toml"))
        self.assertEqual(hosts["host"], {CACHE: {"capabilities": ["pull", "resolve"]}})

    def test_containers(self) -> None:
        """podman and CRI-O have the same table: the cache is a mirror of docker.io."""
        for name in ("podman", "crio"):
            found = tomllib.loads(text_of(f"{name}/50-txregistry.conf"))
            (registry,) = found["registry"]
            self.assertEqual(registry["prefix"], "docker.io")
            self.assertEqual(
                registry["mirror"],
                [{"location": CACHE.removeprefix("http://"), "insecure": True}],
            )

    def test_k3s(self) -> None:
        """k3s has the cache as the endpoint of docker.io."""
        found = yaml.safe_load(text_of("k3s/registries.yaml"))
        self.assertEqual(found, {"mirrors": {"docker.io": {"endpoint": [CACHE]}}})

    def test_readme(self) -> None:
        """The list of examples has each directory, and no other."""
        listed = set(re.findall(r"`(\w+)/", text_of("README.md")))
        there = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
        self.assertEqual(listed, there)


class KubernetesTests(SynchronousTestCase):
    """The schemas of the API, and what they cannot say."""

    def test_schemas(self) -> None:
        """Every object is what the API takes, without a field that it does not know."""
        for each in objects():
            kubernetes_validate.validate(each, "1.31", strict=True)

    def test_schemas_refuse(self) -> None:
        """A field in the wrong place is not taken: the schemas are looked at."""
        wrong = named("Deployment", "txregistry")
        wrong["spec"]["template"]["spec"]["readinessProbe"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, "1.31", strict=True)

    def test_configuration(self) -> None:
        """The configuration in the map is one, without a warning."""
        text = named("ConfigMap", "txregistry")["data"]["config.yml"]
        path = Path(self.mktemp())
        path.write_text(text)
        config, warnings = load(str(path), {})
        self.assertEqual(warnings, [])
        paths = {x["mountPath"] for x in self.container["volumeMounts"]}
        self.assertIn(config.storage.parameters["rootdirectory"], paths)
        ports = {str(x["containerPort"]) for x in self.container["ports"]}
        addresses = (config.http.addr, config.http.debug.addr)
        self.assertEqual({x.removeprefix(":") for x in addresses}, ports)
        patience = self.pod["terminationGracePeriodSeconds"]
        self.assertGreater(patience, config.http.draintimeout)

    def test_restricted(self) -> None:
        """The cache runs as the standard called restricted asks."""
        labels = named("Namespace", "txregistry")["metadata"]["labels"]
        self.assertEqual(labels["pod-security.kubernetes.io/enforce"], "restricted")
        context = self.pod["securityContext"]
        self.assertTrue(context["runAsNonRoot"])
        self.assertEqual(context["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertEqual(
            self.container["securityContext"],
            {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        )
        kinds = {key for volume in self.pod["volumes"] for key in volume} - {"name"}
        self.assertEqual(kinds, {"configMap", "secret", "persistentVolumeClaim"})

    def test_selectors(self) -> None:
        """What selects pods by their labels finds them."""
        pods = [
            x["spec"]["template"]["metadata"]["labels"]
            for x in objects()
            if "template" in x.get("spec", {})
        ]
        for each in objects():
            selector = each.get("spec", {}).get("selector", {})
            wanted = selector.get("matchLabels", selector)
            self.assertTrue(any(wanted.items() <= labels.items() for labels in pods))

    def test_nodes(self) -> None:
        """Nodes are led to the port that the service opens on them."""
        (port,) = named("Service", "txregistry")["spec"]["ports"]
        hosts = tomllib.loads(named("ConfigMap", "hosts")["data"]["hosts.toml"])
        self.assertEqual([*hosts["host"]], [f"http://NODE_IP:{port['nodePort']}"])

    @property
    def pod(self) -> dict[str, Any]:
        found: dict[str, Any] = named("Deployment", "txregistry")
        return found["spec"]["template"]["spec"]

    @property
    def container(self) -> dict[str, Any]:
        (found,) = self.pod["containers"]
        return found
