"""nginx and Caddy in front of the registry, as the examples set them up."""

from __future__ import annotations

from tests.integration.sandbox import SandboxCase
from tests.integration.support import require

#: What the examples ask for in the configuration of the registry.
CONFIG = """
version: 0.1
storage:
  filesystem: {rootdirectory: /var/lib/txregistry}
http:
  addr: 127.0.0.1:5000
  host: https://registry.example.net
  trustedproxies: [127.0.0.1]
"""

EXAMPLES = "/usr/share/doc/txregistry/examples"

#: More than the fronts keep in memory, or take unless told otherwise.
BYTES = 20_000_000

URL = "https://registry.example.net/v2/team/app/blobs"


class FrontTests(SandboxCase):
    """The front takes its file, and a push and a pull go through."""

    async def start(self, front: str, *commands: str) -> None:
        require(front)
        self.sandbox.install_certificate()
        self.sandbox.write("/etc/txregistry/config.yml", CONFIG)
        for command in (*commands, "systemctl start txregistry"):
            await self.sh(command)
        await self.sh(f"systemctl start {front}")

    async def go_through(self) -> None:
        """Push and pull by a real client, push and pull what is large."""
        await self.sh(
            "skopeo copy -q docker://registry-1.docker.io/library/busybox:latest "
            "docker://registry.example.net/team/app:1\n"
            "skopeo copy -q docker://registry.example.net/team/app:1 dir:app\n"
        )
        location = await self.sh(
            f"head -c {BYTES} /dev/urandom > layer\n"
            f"curl -sSf -X POST -D - -o /dev/null {URL}/uploads/ |"
            " tr -d '\\r' | sed -n 's/^[Ll]ocation: //p'"
        )
        self.assertTrue(location.startswith(f"{URL}/uploads/"), location)
        sums = await self.sh(
            "digest=$(sha256sum layer | cut -d' ' -f1)\n"
            "curl -sSf -X PUT -H 'Content-Type: application/octet-stream' "
            f"-T layer '{location.strip()}&digest=sha256:'$digest\n"
            f"curl -sSf {URL}/sha256:$digest | sha256sum\n"
            "echo $digest"
        )
        found, _, expected = sums.split()
        self.assertEqual(found, expected)

    async def tells_clients_apart(self) -> None:
        """What a client says about itself is not believed; its address is."""
        await self.sh(
            "curl -sSf --interface 127.0.0.7 -H 'Forwarded: for=192.0.2.66' "
            "-H 'X-Forwarded-For: 192.0.2.66' https://registry.example.net/v2/"
        )
        log = await self.sh("journalctl -u txregistry")
        self.assertIn("127.0.0.7 - ", log)
        self.assertNotIn("192.0.2.66", log)
        self.assertNotIn("Traceback", log)

    async def test_nginx(self) -> None:
        """nginx takes its file, pushes and pulls go through, clients are known."""
        await self.start(
            "nginx",
            f"cp {EXAMPLES}/nginx/txregistry.conf /etc/nginx/sites-enabled/",
            "nginx -t -c /etc/nginx/nginx.conf",
        )
        await self.go_through()
        await self.tells_clients_apart()

    async def test_caddy(self) -> None:
        """The same with Caddy."""
        await self.start(
            "caddy",
            f"cp {EXAMPLES}/caddy/Caddyfile /etc/caddy/",
            "caddy validate --config /etc/caddy/Caddyfile --adapter caddyfile",
        )
        await self.go_through()
        await self.tells_clients_apart()
