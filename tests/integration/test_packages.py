"""The package of ``docs/extending.md``, installed beside a real daemon."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

from tests.integration.support import IntegrationCase, Registry, run, which

TOP = Path(__file__).parent.parent.parent
EXAMPLES = TOP / "tests" / "examples"

#: What the daemon is to use of the package.
SECTIONS: dict[str, Any] = {
    "storage": {"dict": {}},
    "auth": {"teams": {"realm": "r", "passwords": {"red": "secret"}}},
    "middleware": {
        "registry": [{"name": "hidden", "options": {"below": ["red/internal"]}}],
        "repository": [{"name": "frozen", "options": {"tags": "v*"}}],
        "storage": [
            {
                "name": "lan",
                "options": {"network": "127.0.0.0/8", "url": "http://lan.example"},
            }
        ],
    },
}

IMAGE = "application/vnd.oci.image.manifest.v1+json"


class PackageTests(IntegrationCase):
    """What a stranger has written, from its entry points on."""

    def install(self) -> dict[str, str]:
        """Install the package as its ``pyproject.toml`` says; give the environment."""
        page = (TOP / "docs" / "extending.md").read_text()
        found = re.search(r"^```toml\n(.*?)^```", page, re.M | re.S)
        assert found is not None
        project = tomllib.loads(found[1])["project"]
        name, site = project["name"], self.directory / "site"
        (site / name).mkdir(parents=True)
        for path in EXAMPLES.glob("*.py"):
            if not path.name.startswith("test_"):
                text = path.read_text().replace("tests.examples", name)
                (site / name / path.name).write_text(text)
        info = site / f"{name}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {project['version']}\n"
        )
        points = "".join(
            f"[{group}]\n" + "".join(f"{key} = {at}\n" for key, at in points.items())
            for group, points in project["entry-points"].items()
        )
        (info / "entry_points.txt").write_text(points)
        path = os.pathsep.join([str(site), str(TOP)])
        return {"PYTHONPATH": path, "NO_PROXY": "*"}

    async def start(self) -> Registry:
        environment = self.install()
        self.auth = ("red", "secret")
        return await self.daemon("registry", merge=SECTIONS, env=environment)

    async def ask(self, method: str, url: str, data: bytes = b"", kind: str = ""):
        headers = {"Content-Type": kind} if kind else {}
        return await self.http.request(
            *(method, url),
            headers=headers,
            data=data,
            auth=self.auth,
            allow_redirects=False,
        )

    async def push(self, registry: Registry, name: str, note: str = "") -> list[int]:
        """Push an image; give the statuses."""
        digest = f"sha256:{hashlib.sha256(b'{}').hexdigest()}"
        config = {"mediaType": "application/x", "digest": digest, "size": 2}
        manifest = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": config,
            "layers": [],
            "annotations": {"note": note},
        }
        base = f"{registry.url}/v2/{name}"
        blob = await self.ask("POST", f"{base}/blobs/uploads/?digest={digest}", b"{}")
        content = json.dumps(manifest).encode()
        image = await self.ask("PUT", f"{base}/manifests/v1", content, IMAGE)
        self.blob = f"{base}/blobs/{digest}"
        return [blob.code, image.code]

    async def test_daemon(self) -> None:
        """Its driver, its access controller and its middleware work together."""
        registry = await self.start()
        self.assertEqual(await self.push(registry, "red/app"), [201, 201])
        self.assertEqual(await self.push(registry, "blue/app"), [403, 403])
        self.assertEqual(await self.push(registry, "red/internal/x"), [404, 404])
        self.assertEqual(await self.push(registry, "red/app", "other"), [201, 403])
        got = await self.ask("GET", self.blob)
        (location,) = got.headers.getRawHeaders("Location")
        self.assertEqual(got.code, 307)
        self.assertTrue(location.startswith("http://lan.example/docker/registry/v2/"))

    async def test_check(self) -> None:
        """The check of a configuration knows what it offers."""
        environment = self.install()
        path = self.directory / "config.yml"
        changed = {
            "version": "0.1",
            **SECTIONS,
            "middleware": {"storage": [{"name": "x"}]},
        }
        check = (which("txregistry"), "config", "check")
        for config, told in (
            ({"version": "0.1", **SECTIONS}, "0 problems, 0 warnings"),
            (changed, "expected cloudfront or lan or redirect or rewrite"),
        ):
            path.write_text(yaml.safe_dump(config))
            try:
                said = await run(*check, str(path), env=environment)
            except AssertionError as error:
                said = str(error)
            self.assertIn(told, said)

    async def test_suite(self) -> None:
        """The suite of drivers runs on its driver, from outside."""
        environment = self.install()
        trial = (sys.executable, "-m", "twisted.trial", "--temp-directory")
        place = str(self.directory / "trial")
        said = await run(*trial, place, "yourpackage.suite", env=environment)
        self.assertRegex(said, r"PASSED \(successes=[1-9][0-9]\)")
