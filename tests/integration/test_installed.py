"""What a package puts beside the daemon: manual pages, completion, secrets in files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.integration.images import Layout
from tests.integration.passwords import write_htpasswd
from tests.integration.support import (
    TWISTD,
    IntegrationCase,
    free_port,
    require,
    run,
    start,
    which,
)
from txregistry.config.table import keys

TOP = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).parent / "txregistry")


class PageTests(IntegrationCase):
    """Files that scripts write for a package."""

    async def write(self, script: str) -> Path:
        place = self.directory / script
        day = {"PYTHON": sys.executable, "SOURCE_DATE_EPOCH": "1700000000"}
        await run(str(TOP / "scripts" / script), str(place), env=day)
        return place

    async def test_manual_pages(self) -> None:
        """Two readers find nothing to complain of, and show every key."""
        require("man", "mandoc")
        pages = sorted((await self.write("manpages")).iterdir())
        self.assertEqual(len(pages), 3)
        for page in pages:
            await run(which("mandoc"), "-T", "lint", "-W", "warning", str(page))
            # A command that complains ends with another status only if asked to.
            told = self.directory / "told"
            shown = await run(
                *("sh", "-c", 'man --warnings -E UTF-8 -l "$0" 2> "$1" | col -b'),
                *(str(page), str(told)),
                env={"MANWIDTH": "200", "LC_ALL": "C.UTF-8"},
            )
            self.assertEqual(told.read_text(), "", page.name)
            if page.suffix == ".5":
                for row in keys():
                    self.assertIn(f" {row.path}\n", shown)

    async def test_completion(self) -> None:
        """The script of bash completes commands, options and keys."""
        place = await self.write("completions")
        path = f"{Path(COMMAND).parent}:{os.environ['PATH']}"
        for words, expected in (
            (("txregistry", "con"), "config"),
            (("txregistry", "garbage-collect", "--dr"), "--dry-run"),
            (("txregistry", "config", "explain", "proxy.tagt"), "proxy.tagttl"),
        ):
            script = (
                f". {place}/txregistry; COMP_WORDS=({' '.join(words)});"
                f" COMP_CWORD={len(words) - 1}; _txregistry_completion txregistry;"
                ' echo "${COMPREPLY[@]}"'
            )
            found = await run("bash", "-c", script, env={"PATH": path})
            self.assertEqual(found.strip(), expected)

    async def test_statuses(self) -> None:
        """A process ends with the statuses that are documented."""
        good, bad = self.directory / "good.yml", self.directory / "bad.yml"
        good.write_text("version: 0.1\nstorage: inmemory\n")
        bad.write_text("version: 0.1\nstorage: {}\n")
        for arguments, status in (
            (("config", "check", str(good)), 0),
            (("config", "check", str(bad)), 1),
            (("config", "check", "/nowhere"), 2),
            (("config", "show", "--json", str(good)), 0),
            (("config", "show", str(bad)), 78),
            (("config", "explain", "proxy.ttl"), 0),
            (("config", "explain", "proxy.tl"), 1),
            (("garbage-collect", str(good)), 1),
            (("garbage-collect", str(bad)), 78),
            (("garbage-collect", "--nonsense"), 2),
        ):
            script = '"$@" > /dev/null 2>&1; echo $?'
            found = await run("sh", "-c", script, "sh", COMMAND, *arguments)
            self.assertEqual(int(found), status, arguments)


class SecretTests(IntegrationCase):
    """Secrets in files that keys name, at a real upstream that asks for them."""

    async def test_credentials_of_a_unit(self) -> None:
        """A cache logs in with a password from the directory that systemd provides."""
        require("docker-registry", "skopeo")
        users = self.directory / "htpasswd"
        write_htpasswd(users, cache="right")
        auth = {"htpasswd": {"realm": "tests", "path": str(users)}}
        upstream = await self.debian_registry(merge={"auth": auth})
        layout = Layout(self.directory / "images")
        layout.tag("one", layout.image("amd64", 50_000, 60), index=False)
        await run(
            *(which("skopeo"), "copy", "-q", "--dest-tls-verify=false"),
            *("--dest-creds", "cache:right"),
            *(f"oci:{layout.path}:one", f"docker://{upstream.host}/a/b:one"),
        )
        credentials = self.directory / "credentials"
        credentials.mkdir()
        (credentials / "hub").write_text("right\n")
        (credentials / "hub").chmod(0o400)
        cache = await self.cache(
            upstream.url,
            env={"NO_PROXY": "*", "CREDENTIALS_DIRECTORY": str(credentials)},
            username="cache",
            passwordfile="${CREDENTIALS_DIRECTORY}/hub",
        )
        accept = "application/vnd.oci.image.manifest.v1+json"
        code, _, _ = await self.get(f"{cache.url}/v2/a/b/manifests/one", Accept=accept)
        self.assertEqual(code, 200)
        config = str(self.directory / "cache.yml")
        shown = json.loads(await run(COMMAND, "config", "show", "--json", config))
        named_by = shown["origins"]["proxy.password"]["named_by"]
        self.assertEqual(named_by, "proxy.passwordfile")

    async def test_start_without_them(self) -> None:
        """Without the directory, or with an empty file, the daemon does not start."""
        secret = self.directory / "secret"
        secret.write_text("")
        config = self.directory / "config.yml"
        for path, told in (
            ("${CREDENTIALS_DIRECTORY}/x", "is set by systemd only"),
            (str(secret), "is empty"),
        ):
            config.write_text(
                "version: 0.1\nstorage: inmemory\n"
                f"http: {{addr: '127.0.0.1:{free_port()}', secretfile: '{path}'}}\n"
            )
            process = self.keep(
                start(TWISTD, "-n", "--pidfile=", "registry", "-c", str(config))
            )
            await process.output.ended
            self.assertEqual(process.output.status.exitCode, 78)
            self.assertIn(told, process.text())
            self.assertIn("http.secretfile: ", process.text())
