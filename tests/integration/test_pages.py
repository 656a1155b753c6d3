"""The commands of the pages for administrators do what the pages say.

How a page says what is to be done is in ``tests.pages``.
"""

from __future__ import annotations

from tests.integration.sandbox import SandboxCase
from tests.integration.support import require
from tests.pages import Block, blocks, missing


class PageCase(SandboxCase):
    """Runs a page."""

    output = ""

    async def follow(self, name: str) -> None:
        """Do what a page says, block by block."""
        self.sandbox.install_certificate()
        for block in blocks(name):
            verb, _, rest = block.tag.partition(": ")
            if verb == "run":
                await self.run_block(block)
            elif verb == "file":
                self.write_block(rest.partition(" = ")[0], block.text)
            elif verb == "shows":
                found = self.output.splitlines()
                self.assertEqual(missing(block, found), [], f"{block}: {self.output}")

    async def run_block(self, block: Block) -> None:
        try:
            self.output += await self.sh(block.text)
        except AssertionError as error:
            log = self.directory / "log"
            await self.sh(f"cat /var/log/txregistry.log > {log} || true")
            raise AssertionError(f"{block}: {error}\n{log.read_text()}") from error

    def write_block(self, path: str, text: str) -> None:
        self.sandbox.write(path if "/" in path else f"/home/{path}", text)


class ClientTests(PageCase):
    """``docs/clients.md``."""

    async def test_page(self) -> None:
        """Each client pulls through the cache, over TLS and with a password too."""
        require("dockerd", "containerd", "ctr", "podman", "buildah", "htpasswd")
        await self.follow("clients.md")


class CookbookTests(PageCase):
    """``docs/cookbook.md``."""

    async def test_page(self) -> None:
        """Each recipe works."""
        require("dockerd", "podman", "buildah", "nginx", "caddy")
        await self.follow("cookbook.md")


class TroubleTests(PageCase):
    """``docs/troubleshooting.md``."""

    async def test_page(self) -> None:
        """Each trouble that can be made has the answer and the log line of the page."""
        require("skopeo", "podman")
        await self.follow("troubleshooting.md")
