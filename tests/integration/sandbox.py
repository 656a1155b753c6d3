"""A machine of its own for commands as they stand on pages: its files, its ports."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.integration.images import Layout
from tests.integration.support import (
    IntegrationCase,
    Process,
    find,
    require,
    run,
    start,
    until,
    which,
)
from tests.integration.tls import Authority

HERE = Path(__file__).parent
TOP = HERE.parents[1]
#: Runs its first argument.
_LINES = """
said=$(mktemp)
status=0
timeout --kill-after=5 120 sh -euc "$1" >"$said" 2>&1 </dev/null || status=$?
cat "$said"
exit $status
"""
#: Docker Hub in the sandbox: at the other end of the cable.
HUB = "198.51.100.2"


class Sandbox:
    """Namespaces of mounts, network and processes, and a Docker Hub outside of them.

    Commands in it see paths such as ``/etc/docker`` and ports such as 443 for
    themselves alone: nothing of what they write or listen on is left. All processes
    end with it. ``registry-1.docker.io`` is Debian's registry, with a certificate that
    the sandbox trusts, and ``library/busybox`` and ``library/alpine``.
    """

    def __init__(self, case: IntegrationCase) -> None:
        self.case = case
        self.directory = case.directory
        self.environment: dict[str, str] = {}

    async def start(self) -> None:
        """Make it; skip where that is not permitted."""
        require("unshare", "nsenter", "ip", "docker-registry", "skopeo")
        if os.geteuid():
            require("root")
        flags = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
        script = ("sh", str(HERE / "sandbox.sh"), str(self.directory), str(TOP))
        holder = self.case.keep(start(which("unshare"), *flags, *script))
        # Before all others: with it end all that are inside, and hold our pipes open.
        self.case.addCleanup(holder.end, "KILL")
        await until(lambda: "ready" in holder.text() or not holder.running)
        assert holder.running, holder.text()
        self._pid = _child(holder.pid)
        self._programs()
        await self._hub()

    def _programs(self) -> None:
        """Put first on the path what is not where a page's reader has it."""
        path = self.directory / "bin"
        path.mkdir()
        for stand_in in (HERE / "pages").iterdir():
            (path / stand_in.name).symlink_to(stand_in)
        for name in ("twistd", "txregistry"):
            (path / name).symlink_to(Path(sys.executable).parent / name)
        for name in ("nginx", "caddy", "promtool"):
            if found := find(name):
                (path / name).symlink_to(found)
        if Path("/usr/bin/docker").exists():
            (path / "docker").symlink_to("/usr/bin/docker")
        keep = ("PYTHONPATH", "LANG", "PYTHONDONTWRITEBYTECODE", "CI")
        self.environment = {
            **{name: os.environ[name] for name in keep if name in os.environ},
            "PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.directory / "home"),
        }

    async def _hub(self) -> None:
        authority = Authority(self.directory / "tls")
        issued = authority.issue("registry-1.docker.io", "docker.io", "index.docker.io")
        self.front = authority.issue("registry.example.net", "cache.example.net")
        bundle = self.directory / "etc/ssl/certs/ca-certificates.crt"
        with bundle.open("ab") as file:
            file.write(authority.path.read_bytes())
        self.authority = authority.path
        config = self.directory / "hub.yml"
        config.write_text(
            f'{{version: "0.1", log: {{level: warn}}, http: {{addr: "{HUB}:443", tls: '
            f"{{certificate: {issued.certificate}, key: {issued.key}}}}}, storage: "
            f"{{filesystem: {{rootdirectory: {self.directory}/hub}}}}}}"
        )
        other = (self.directory / "upstream").read_text().strip()
        inside = ("nsenter", "--target", other, "--net")
        self.start_process(*inside, which("docker-registry"), "serve", str(config))
        layout = Layout(self.directory / "images")
        for name in ("busybox", "alpine"):
            image = layout.image("amd64", 200_000, 100_000)
            layout.tag(name, image, index=False)
            await self.sh(
                f"for _ in $(seq 200); do curl -sf https://registry-1.docker.io/v2/ "
                f"&& break; sleep 0.1; done; skopeo copy -q oci:{layout.path}:{name} "
                f"docker://registry-1.docker.io/library/{name}:latest"
            )

    def argv(self, *argv: str) -> tuple[str, ...]:
        """Give the command that runs one inside."""
        flags = ("--mount", "--net", "--pid", f"--wd={self.directory}/home")
        variables = (f"{name}={value}" for name, value in self.environment.items())
        return (
            *(which("nsenter"), "--target", str(self._pid), *flags),
            *("/usr/bin/env", "-i", *variables, *argv),
        )

    def start_process(self, *argv: str) -> Process:
        """Start a process inside."""
        return self.case.keep(start(*self.argv(*argv)))

    async def sh(self, script: str) -> str:
        """Run lines of sh inside, two minutes at most; a failure shows what they said.

        What they leave running may keep their output open, which is a file therefore.
        """
        return await run(*self.argv("sh", "-c", _LINES, "sh", script))

    def write(self, path: str, text: str) -> None:
        """Write a file below ``/etc``, as it is inside."""
        place = self.directory / path.removeprefix("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def install_certificate(self) -> None:
        """Put the certificate of ``registry.example.net`` where examples want it."""
        place = self.directory / "etc/ssl"
        shutil.copy(self.front.certificate, place / "registry.example.net.pem")
        shutil.copy(self.front.key, place / "private" / "registry.example.net.key")


def _child(pid: int) -> int:
    """Give the one child of a process."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


class SandboxCase(IntegrationCase):
    """Each test has a sandbox."""

    timeout = 400

    async def setUp(self) -> None:  # type: ignore[override]
        super().setUp()
        self.sandbox = Sandbox(self)
        await self.sandbox.start()

    async def sh(self, script: str) -> str:
        return await self.sandbox.sh(script)
