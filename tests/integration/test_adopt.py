"""``txregistry adopt`` looks at what docker-registry has really written."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from tests.adopt.fakes import IDLE, OLD, OURS, RUNNING, FakeUnits, write
from tests.integration.images import Layout
from tests.integration.support import (
    IntegrationCase,
    Registry,
    require,
    run,
    until,
    which,
)
from txregistry.adopt.old import OldPlaces, read_old
from txregistry.cli import adopt as module
from txregistry.cli.main import main


class AdoptTests(IntegrationCase):
    """A registry and a cache of Debian's, and units that name their files."""

    def setUp(self) -> None:
        super().setUp()
        require("docker-registry", "skopeo")

    def adopt(self, registry: Registry) -> dict[str, Any]:
        """Give the report of a dry run."""
        config = self.directory / f"{registry.root.name}.yml"
        units = self.directory / "units"
        write(
            units / OLD,
            f"[Service]\nUser={getpass.getuser()}\n"
            f"ExecStart=/usr/bin/docker-registry serve {config}\n",
        )
        places = OldPlaces((units,), units / "none")
        self.patch(module, "read_old", lambda *args: read_old(*args, places))
        systemd = FakeUnits({OLD: RUNNING, OURS: IDLE})
        self.patch(module, "Systemctl", lambda: systemd)
        result = CliRunner().invoke(main, ["adopt", "--json", "--verify", "1000"])
        self.assertEqual(systemd.calls, [])
        report: dict[str, Any] = json.loads(result.stdout)
        self.assertNotEqual(report["verdict"], "cannot", result.stdout)
        self.assertTrue(report["steps"])
        return report

    async def push(self, registry: Registry, *options: str) -> None:
        layout = Layout(self.directory / "images")
        for name in ("one", "two"):
            layout.tag(name, layout.image("amd64", 50_000, 60), index=False)
            await run(
                *(which("skopeo"), "copy", "-q", "--dest-tls-verify=false", *options),
                *(f"oci:{layout.path}:{name}", f"docker://{registry.host}/a/b:{name}"),
            )

    def counted(self, report: dict[str, Any], *names: str) -> list[int]:
        self.assertEqual(report["storage"]["oddities"], {})
        return [report["storage"][name] for name in names]

    async def test_registry(self) -> None:
        """What was pushed, and an upload that is half done; nothing of it is odd."""
        registry = await self.debian_registry("registry")
        await self.push(registry)
        response = await self.http.post(f"{registry.url}/v2/a/b/blobs/uploads/")
        (location,) = response.headers.getRawHeaders("Location")
        await (await self.http.patch(location, data=b"half of it")).content()
        found = self.adopt(registry)
        names = ("repositories", "tags", "manifests", "blobs", "verified", "schema1")
        self.assertEqual(self.counted(found, *names), [1, 2, 2, 8, 8, 0])
        names = ("uploads", "upload_bytes", "layers", "has_state")
        self.assertEqual(self.counted(found, *names), [1, 10, 6, False])
        blobs = registry.root / "docker/registry/v2/blobs"
        stored = sum(path.stat().st_size for path in blobs.rglob("data"))
        self.assertEqual(self.counted(found, "bytes"), [stored])

    async def test_schema_1(self) -> None:
        """Manifests of the oldest kind are counted; signatures are nothing odd."""
        enabled = {"compatibility": {"schema1": {"enabled": True}}}
        registry = await self.debian_registry("registry", merge=enabled)
        await self.push(registry, "--format", "v2s1")
        found = self.adopt(registry)
        self.assertEqual(self.counted(found, "manifests", "schema1"), [2, 2])

    async def test_cache(self) -> None:
        """What was pulled, and what of it expires when."""
        upstream = await self.debian_registry()
        await self.push(upstream)
        proxy = {"proxy": {"remoteurl": upstream.url}}
        cache = await self.debian_registry("cache", merge=proxy)
        target = self.directory / "pulled"
        await run(
            *(which("skopeo"), "copy", "-q", "--src-tls-verify=false"),
            *(f"docker://{cache.host}/a/b:one", f"dir:{target}"),
        )
        state = cache.root / "scheduler-state.json"
        await until(lambda: state.exists() and len(_entries(state)) == 4)
        found = self.adopt(cache)
        names = ("repositories", "tags", "manifests", "blobs", "scheduled")
        self.assertEqual(self.counted(found, *names), [1, 1, 1, 4, 4])
        self.assertTrue(found["storage"]["has_state"])

    async def test_copying(self) -> None:
        """The tools that docs/moving.md names copy one registry to another."""
        old = await self.debian_registry("registry")
        await self.push(old)
        new = await self.daemon("new")
        skopeo, plain = (
            which("skopeo"),
            ("--src-tls-verify=false", "--dest-tls-verify=false"),
        )
        sync = (skopeo, "sync", "--all", "--src", "docker", "--dest", "docker", *plain)
        await run(*sync, f"{old.host}/a/b", f"{new.host}/a")
        names = (f"docker://{old.host}/a/b:one", f"docker://{new.host}/c/d:one")
        await run(skopeo, "copy", "--all", *plain, *names)
        for place in ("a/b/manifests/one", "a/b/manifests/two", "c/d/manifests/one"):
            source = place.replace("c/d", "a/b")
            expected = await self.get(f"{old.url}/v2/{source}", Accept=_MANIFEST)
            found = await self.get(f"{new.url}/v2/{place}", Accept=_MANIFEST)
            self.assertEqual((found[0], found[2]), (200, expected[2]))


_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def _entries(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes() or b"{}")
    except ValueError:
        return {}  # it is being written
    return found
