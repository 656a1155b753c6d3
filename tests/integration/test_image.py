"""The container image, run by podman as its users do; ``make image-test`` builds it."""

from __future__ import annotations

import os

from twisted.trial.unittest import SkipTest

from tests.integration.images import Layout
from tests.integration.sandbox import SandboxCase
from tests.integration.support import require

#: Of podman where limits are low, and where systemd does not run.
FLAGS = "--cgroup-manager=cgroupfs --runtime=runc --storage-driver=vfs"
LIMITS = "--ulimit=nofile=1024:1024 --ulimit=nproc=1024:1024"
#: As little as can be: no file but the volume, no right.
HARDENED = (
    "--read-only --read-only-tmpfs=false --cap-drop=all"
    " --security-opt=no-new-privileges --network=host"
    " --volume=/etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro"
)
HEALTH = f"podman {FLAGS} healthcheck run"


class ImageTests(SandboxCase):
    """What the archive that ``TXREGISTRY_IMAGE`` names does."""

    async def setUp(self) -> None:  # type: ignore[override]
        self.archive = os.environ.get("TXREGISTRY_IMAGE", "")
        if not self.archive:
            raise SkipTest("set TXREGISTRY_IMAGE, or run make image-test")
        await super().setUp()
        require("podman", "runc")
        # As much of the machine as containers want, which the sandbox does not show.
        await self.sh(
            f"podman {FLAGS} load -q -i {self.archive} | sed -n '1s/.*: //p' > name"
        )
        self.name = (await self.sh("cat name")).strip()

    async def start(self, name: str, *options: str, volume: str = "data") -> None:
        """Start a container; wait until it is healthy."""
        await self.sh(
            f"podman {FLAGS} run -d --name {name} {LIMITS} {HARDENED}"
            f" --volume={volume}:/var/lib/txregistry {' '.join(options)} {self.name}"
        )
        await self.sh(
            f"for _ in $(seq 300); do {HEALTH} {name} && exit; sleep 0.2; done;"
            f" podman {FLAGS} logs {name}; exit 1"
        )

    async def pull(self, port: int = 5000) -> None:
        await self.sh(
            "rm -rf pulled; skopeo copy -q --src-tls-verify=false "
            f"docker://127.0.0.1:{port}/library/busybox:latest dir:pulled"
        )

    async def test_life(self) -> None:
        """It serves without root and files of its own, and drains when it is ended."""
        await self.start("cache")
        await self.pull()
        await self.sh("ip link set uplink down")
        await self.pull()
        await self.sh("ip link set uplink up")
        inside = f"podman {FLAGS} exec cache"
        self.assertEqual(await self.sh(f"{inside} id -u"), "900\n")
        self.assertIn(
            "Read-only", await self.sh(f"{inside} sh -c 'touch /etc/x' 2>&1 || true")
        )
        await self.drains()
        state = "{{.State.ExitCode}}"
        left = await self.sh(f"podman {FLAGS} inspect -f '{state}' cache")
        self.assertEqual(left, "0\n")
        # The volume outlives the container.
        await self.sh(f"podman {FLAGS} rm cache; ip link set uplink down")
        await self.start("again")
        await self.pull()

    async def drains(self) -> None:
        """A download that is under way when the container is stopped becomes whole."""
        layout = Layout(self.directory / "large")
        layout.tag("large", layout.image("amd64", 30_000_000), index=False)
        sizes = {x.stat().st_size: x.name for x in layout.path.glob("blobs/*/*")}
        digest = sizes[max(sizes)]
        await self.sh(
            f"skopeo copy -q oci:{layout.path}:large "
            "docker://registry-1.docker.io/library/large:latest\n"
            "url=http://127.0.0.1:5000/v2/library/large/blobs/sha256:\n"
            f'curl -sSf -o large --limit-rate 8M "${{url}}{digest}" & curl=$!\n'
            "sleep 1\n"
            f"podman {FLAGS} stop -t 20 cache\n"
            "wait $curl\n"
            f"echo {digest} large | sha256sum --check --quiet"
        )

    async def test_settings(self) -> None:
        """Variables and a mounted file configure it; its health follows them."""
        config = self.directory / "mine.yml"
        config.write_text(
            "{version: '0.1', storage: {filesystem: {rootdirectory: "
            "/var/lib/txregistry}}, http: {addr: ':5001'}}"
        )
        await self.start(
            "registry",
            f"--volume={config}:/etc/txregistry/config.yml:ro",
            "--env=REGISTRY_HTTP_ADDR=127.0.0.1:5002",
            volume="other",
        )
        await self.sh(
            "skopeo copy -q --dest-tls-verify=false "
            f"oci:{self.directory}/images:busybox docker://127.0.0.1:5002/library/busybox"
        )
        await self.pull(5002)
        labels = await self.sh(
            f"podman {FLAGS} image inspect -f '{{{{.Config.Labels}}}}' {self.name}"
        )
        self.assertIn("org.opencontainers.image.version", labels)
