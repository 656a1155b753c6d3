"""``txregistry garbage-collect`` beside a daemon, without one, and in its way."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.integration.images import Layout
from tests.integration.support import (
    IntegrationCase,
    Registry,
    output,
    require,
    run,
    start,
    which,
)

COMMAND = str(Path(sys.executable).parent / "txregistry")


class CollectTests(IntegrationCase):
    """A registry from which an image was deleted."""

    async def make(self) -> tuple[Registry, str]:
        require("skopeo", "docker-registry")
        layout = Layout(self.directory / "images")
        self.digests = {
            name: layout.tag(name, layout.image("amd64", 50_000, 60), index=False)
            for name in ("one", "two")
        }
        ours = await self.daemon(
            "registry", merge={"storage": self.storage(self.directory / "registry")}
        )
        for name in self.digests:
            await run(
                *(which("skopeo"), "copy", "-q", "--dest-tls-verify=false"),
                *(f"oci:{layout.path}:{name}", f"docker://{ours.host}/a/b:{name}"),
            )
        await run(
            *(which("skopeo"), "delete", "--tls-verify=false"),
            f"docker://{ours.host}/a/b:two",
        )
        return ours, str(self.directory / "registry.yml")

    def storage(self, root: Path) -> dict[str, object]:
        return {
            "filesystem": {"rootdirectory": str(root)},
            "cache": {"blobdescriptor": "inmemory"},
            "delete": {"enabled": True},
        }

    async def collect(self, config: str, *options: str) -> dict[str, object]:
        command = (COMMAND, "garbage-collect", "--json", *options, config)
        return json.loads(await output(*command, env={"COLUMNS": "80"}))

    async def pulls(self, registry: Registry, name: str) -> int:
        accept = "application/vnd.oci.image.manifest.v1+json"
        path = f"{registry.url}/v2/a/b/manifests/{self.digests[name]}"
        code, _, _ = await self.get(path, Accept=accept)
        return code

    async def test_beside_a_daemon(self) -> None:
        """The daemon collects, goes on serving, and the directory stays readable by
        docker-registry."""
        ours, config = await self.make()
        report = await self.collect(config, "--grace", "0")
        # A manifest, a configuration and two layers.
        self.assertEqual(report["blobs_deleted"], 4)
        self.assertEqual(await self.pulls(ours, "one"), 200)
        self.assertEqual(await self.pulls(ours, "two"), 404)
        mode = os.stat(ours.root / "txregistry" / "control.sock").st_mode
        self.assertEqual(mode & 0o777, 0o600)
        await ours.process.end()
        theirs = await self.debian_registry("again", root=ours.root)
        self.assertEqual(await self.pulls(theirs, "one"), 200)

    async def test_without_a_daemon(self) -> None:
        """The command collects by itself, dry and then really."""
        ours, config = await self.make()
        await ours.process.end()
        report = await self.collect(config, "--grace", "0", "-d")
        self.assertEqual(report["blobs_deleted"], 4)
        report = await self.collect(config, "--grace", "0")
        self.assertEqual((report["blobs_deleted"], report["blobs_kept"]), (4, 4))
        report = await self.collect(config, "--grace", "0")
        self.assertEqual(report["blobs_deleted"], 0)

    async def test_grace(self) -> None:
        """What was pushed within the last hour stays."""
        _, config = await self.make()
        report = await self.collect(config)
        self.assertEqual(report["blobs_deleted"], 0)

    async def test_daemon_that_cannot_be_asked(self) -> None:
        """While a daemon works on the directory nobody collects behind its back."""
        ours, config = await self.make()
        (ours.root / "txregistry" / "control.sock").unlink()
        process = self.keep(start(COMMAND, "garbage-collect", config))
        await process.output.ended
        self.assertEqual(process.output.status.exitCode, 1)
        self.assertIn("control socket does not answer", process.text())
