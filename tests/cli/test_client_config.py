"""``txregistry client-config``: what it prints."""

from __future__ import annotations

import json
import socket

import yaml
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli.client_config import reached_at
from txregistry.cli.main import main
from txregistry.config.http import Http, Tls


class ClientConfigTests(SynchronousTestCase):
    """Files, or why there are none."""

    def run_command(self, *arguments: str, **config: object) -> Result:
        path = self.mktemp()
        with open(path, "w") as file:
            mapping = {"version": "0.1", "storage": "inmemory", **config}
            yaml.safe_dump(mapping, file)
        return CliRunner().invoke(main, ["client-config", "-c", path, *arguments])

    def test_printed(self) -> None:
        """Each with its path."""
        proxy = {"upstreams": {"ghcr.io": {}}}
        result = self.run_command("containerd", proxy=proxy)
        self.assertEqual(result.exit_code, 0)
        lines = result.output.splitlines()
        self.assertEqual(lines[0], "# /etc/containerd/certs.d/ghcr.io/hosts.toml")
        self.assertIn('[host."http://127.0.0.1:5000"]', lines)
        arguments = ("podman", "--url", "https://c.example/", "--json")
        result = self.run_command(*arguments, proxy=proxy)
        (found,) = json.loads(result.output)
        self.assertIn('location = "c.example/ghcr.io"', found["text"])

    def test_json_of_docker(self) -> None:
        """What is printed is a file that dockerd reads; what it needs else is said."""
        proxy = {"remoteurl": "https://registry-1.docker.io"}
        arguments = ("docker", "--url", "https://c.example", "--ca", "/etc/ca.pem")
        result = self.run_command(*arguments, proxy=proxy)
        found = json.loads(result.stdout)
        self.assertEqual(found, {"registry-mirrors": ["https://c.example"]})
        self.assertIn("# /etc/docker/daemon.json\n", result.stderr)
        place = "copy /etc/ca.pem to /etc/docker/certs.d/c.example/ca.crt"
        self.assertIn(place, result.stderr)

    def test_refused(self) -> None:
        """A registry, or a client that cannot use the cache."""
        result = self.run_command("containerd")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("the mirror of none", result.output)
        result = self.run_command("docker", proxy={"upstreams": {"ghcr.io": {}}})
        self.assertEqual(result.exit_code, 1)
        self.assertIn("Docker Hub alone", result.output)

    def test_addresses(self) -> None:
        """What it listens at, or what it is told that clients see."""
        self.patch(socket, "getfqdn", lambda: "me.example")
        for http, expected in (
            (Http(), "http://127.0.0.1:5000"),
            (Http(addr=":5000"), "http://me.example:5000"),
            (Http(addr="[::]:5000"), "http://me.example:5000"),
            (Http(addr="/run/x", net="unix"), "http://me.example:80"),
            (Http(host="https://c.example/"), "https://c.example"),
            (Http(prefix="/registry/"), "http://127.0.0.1:5000/registry"),
            (Http(addr=":443", tls=Tls("c", "k")), "https://me.example:443"),
        ):
            self.assertEqual(reached_at(http), expected)
