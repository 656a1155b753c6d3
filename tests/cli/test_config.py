"""``txregistry config``: what is printed, and how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import yaml
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli import places
from txregistry.cli.config_explain import _complete
from txregistry.cli.main import main
from txregistry.config.read import read_config
from txregistry.config.table import find_key, keys


class CommandCase(SynchronousTestCase):
    """A configuration in a file."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.path = str(self.directory / "config.yml")
        self.patch(places, "INSTALLED", str(self.directory / "installed.yml"))
        self.patch(os, "environ", {})

    def write(self, text: str) -> None:
        Path(self.path).write_text(text)

    def run_config(self, *arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(main, ["config", *arguments], env=variables)


class CheckTests(CommandCase):
    """``config check``."""

    def test_good(self) -> None:
        """Without problems it ends with 0; warnings count only if it is strict."""
        self.write("version: 0.1\nstorage: inmemory\nprxy: {}\n")
        result = self.run_config("check", self.path)
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(
            result.output,
            "warning: prxy: is not a known key and is ignored; did you mean proxy?"
            f" ({self.path}:3)\n{self.path}: 0 problems, 1 warnings\n",
        )
        self.assertEqual(self.run_config("check", "--strict", self.path).exit_code, 1)
        quiet = self.run_config("check", "-q", self.path)
        self.assertEqual((quiet.exit_code, quiet.output), (0, ""))

    def test_problems(self) -> None:
        """All problems are told, with the line or the variable, and it ends with 1."""
        self.write("version: 0.1\nstorage: {}\nlog:\n  level: loud\n")
        result = self.run_config("check", self.path, REGISTRY_HTTP_NET="x")
        self.assertEqual(result.exit_code, 1)
        lines = result.output.splitlines()
        variable = "REGISTRY_HTTP_NET"
        levels, where = "error or warn or info or debug", f"({self.path}"
        for expected in (
            f"problem: storage: expected exactly one driver, found none {where}:2)",
            f"problem: log.level: expected {levels}, found 'loud' {where}:4)",
            f"problem: http.net: expected tcp or unix, found 'x' (see {variable})",
            f"{self.path}: 3 problems, 0 warnings",
        ):
            self.assertIn(expected, lines)

    def test_json(self) -> None:
        """Programs get keys, messages and places."""
        self.write("version: 0.1\nstorage: inmemory\nlog:\n  level: loud\nx: 1\n")
        result = self.run_config("check", "--json", self.path, REGISTRY_HTTP_NET="x")
        found = json.loads(result.output)
        self.assertEqual((result.exit_code, found["file"]), (1, self.path))
        by_key = {item["key"]: item for item in found["problems"] + found["warnings"]}
        self.assertEqual(by_key["log.level"]["line"], 4)
        self.assertEqual(by_key["http.net"]["variable"], "REGISTRY_HTTP_NET")
        self.assertEqual(by_key["x"]["file"], self.path)
        self.assertEqual(len(by_key), 3)

    def test_files_that_cannot_be_read(self) -> None:
        """One that is no YAML has a problem; one that is missing is a usage error."""
        self.write("a: [")
        result = self.run_config("check", self.path)
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"problem: {self.path}: is not YAML", result.output)
        as_json = json.loads(self.run_config("check", "--json", self.path).output)
        self.assertEqual(len(as_json["problems"]), 1)
        for arguments in (("/nowhere",), (str(self.directory),), ("--nonsense",)):
            self.assertEqual(self.run_config("check", *arguments).exit_code, 2)

    def test_which_file(self) -> None:
        """Without one it is that of the variable, the installed one, or none."""
        result = self.run_config("check")
        self.assertIn("the built-in configuration: 0 problems", result.output)
        Path(places.INSTALLED).write_text("version: 0.1\nstorage: inmemory\n")
        self.assertIn(places.INSTALLED, self.run_config("check").output)
        # One that this user may not look at is meant all the same.
        error = PermissionError(13, "Permission denied")
        self.patch(places.os, "stat", Mock(side_effect=error))
        self.assertEqual(places.place_of(None), places.INSTALLED)
        self.write("version: 0.1\nstorage: inmemory\n")
        named = self.run_config("check", REGISTRY_CONFIGURATION_PATH=self.path)
        self.assertIn(self.path, named.output)

    def test_nothing_is_made(self) -> None:
        """A check makes neither a password file nor a directory."""
        self.write(
            "version: 0.1\n"
            f"storage: {{filesystem: {{rootdirectory: {self.directory}/r}}}}\n"
            f"auth: {{htpasswd: {{realm: r, path: {self.directory}/passwd}}}}\n"
        )
        self.assertEqual(self.run_config("check", self.path).exit_code, 0)
        self.assertEqual(os.listdir(self.directory), ["config.yml"])


class ShowTests(CommandCase):
    """``config show``."""

    def setUp(self) -> None:
        super().setUp()
        secret = self.directory / "secret"
        secret.write_text("hush\n")
        secret.chmod(0o600)
        self.write(
            "version: 0.1\nstorage: {filesystem: {rootdirectory: /r}}\nloglevel: warn\n"
            "http: {secret: hush, headers: {X-A: ['b: c', d]}}\n"
            "proxy:\n  remoteurl: https://a\n  username: me\n"
            f"  passwordfile: {secret}\n"
            "notifications:\n  endpoints:\n  - name: n\n    url: https://u:hush@h/?t=hush\n"
            "    ignoredmediatypes: [x/y]\n"
        )

    def test_yaml(self) -> None:
        """Values with their origins; it reads back, and shows no secret."""
        result = self.run_config("show", self.path, REGISTRY_PROXY_TTL="1h")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertNotIn("hush", result.output)
        for line in (
            "version: '0.1'  # {}:1",
            "    rootdirectory: /r  # {}:2",
            "    maxthreads: 16  # default",
            "  level: warn  # {}:3",
            "    X-A: ['b: c', d]  # {}:4",
            "  password: '********'  # proxy.passwordfile, {}:8",
            "  ttl: 1h  # REGISTRY_PROXY_TTL",
            "  tagttl: 1m  # default",
            "  - name: n  # {}:11",
            "    url: https://********@h/?********  # {}:12",
        ):
            self.assertIn(f"\n{line.format(self.path)}\n", f"\n{result.output}")
        self.assertNotIn("loglevel", result.output)
        self.assertNotIn("ignoredmediatypes", result.output)
        shown = yaml.safe_load(result.output)
        config, warnings = read_config(shown)
        self.assertEqual(warnings, [])
        self.assertEqual(config.notifications.endpoints[0].ignore.mediatypes, ("x/y",))

    def test_json(self) -> None:
        """The same for programs, with the origin of each value."""
        result = self.run_config("show", "--json", self.path, REGISTRY_PROXY_TTL="1h")
        found = json.loads(result.output)
        as_yaml = self.run_config("show", self.path, REGISTRY_PROXY_TTL="1h")
        self.assertEqual(found["config"], yaml.safe_load(as_yaml.output))
        origins = found["origins"]
        self.assertEqual(origins["proxy.ttl"], {"variable": "REGISTRY_PROXY_TTL"})
        self.assertEqual(origins["proxy.tagttl"], {"default": True})
        self.assertEqual(
            origins["notifications.endpoints[0].name"], {"file": self.path, "line": 11}
        )
        self.assertEqual(origins["proxy.password"]["named_by"], "proxy.passwordfile")

    def test_unusable(self) -> None:
        """What cannot be used is not shown: status 78, with the problems."""
        self.write("version: 0.1\nstorage: {}\n")
        result = self.run_config("show", self.path)
        self.assertEqual(result.exit_code, 78)
        self.assertIn("expected exactly one driver", result.stderr)
        as_json = self.run_config("show", "--json", self.path)
        self.assertEqual(as_json.exit_code, 78)
        self.assertEqual(len(json.loads(as_json.stdout)["problems"]), 1)

    def test_built_in(self) -> None:
        """Without a file it is a cache of Docker Hub, in which all is a default."""
        result = self.run_config("show")
        self.assertIn(
            "remoteurl: https://registry-1.docker.io  # default", result.output
        )


class ExplainTests(CommandCase):
    """``config explain``."""

    def test_key(self) -> None:
        """All that is known of it."""
        row = find_key("http.secret")
        assert row is not None
        result = self.run_config("explain", "REGISTRY_HTTP_SECRET")
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(
            result.output.splitlines(),
            [
                "http.secret",
                f"  {row.doc}",
                "  type:      text",
                "  default:   a random one, kept in the storage directory",
                "  since:     distribution 2.0",
                f"  changes:   need a restart: {row.restart}",
                "  secret:    masked in all output",
                "  in a file: http.secretfile, or REGISTRY_HTTP_SECRET_FILE",
                "  variable:  REGISTRY_HTTP_SECRET",
            ],
        )

    def test_all(self) -> None:
        """Each key and each section can be explained, as text and as JSON."""
        for row in keys():
            text = self.run_config("explain", row.path)
            self.assertIn(row.doc, text.output)
            found: Any = json.loads(
                self.run_config("explain", "--json", row.path).output
            )
            self.assertEqual(found["key"], row.path)
            self.assertEqual(
                bool(found["keys"]),
                row.is_section and not row.path.endswith("inmemory"),
            )

    def test_unknown(self) -> None:
        """What is none is told with what may have been meant, and status 1."""
        result = self.run_config("explain", "proxy.tagtl")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("proxy.tagtl is no key; did you mean proxy.tagttl", result.stderr)
        self.assertEqual(self.run_config("explain", "zzz").stderr, "zzz is no key\n")
        as_json = self.run_config("explain", "zzz", "--json")
        self.assertEqual(json.loads(as_json.stdout), {"error": "zzz is no key"})
        self.assertEqual(self.run_config("explain").exit_code, 2)

    def test_completion(self) -> None:
        """Shells complete keys."""
        found = [item.value for item in _complete(None, None, "proxy.tr")]
        self.assertEqual(found, ["proxy.trustedrealms", "proxy.trustedtargets"])


class PrintTests(CommandCase):
    """``config schema`` and ``config man``."""

    def test_schema(self) -> None:
        """A schema, which is strict if that is asked for."""
        plain = json.loads(self.run_config("schema").output)
        strict = json.loads(self.run_config("schema", "--strict").output)
        odd = {"version": "0.1", "storage": "inmemory", "prxy": {}}
        self.assertTrue(Draft202012Validator(plain).is_valid(odd))
        self.assertFalse(Draft202012Validator(strict).is_valid(odd))

    def test_man(self) -> None:
        """A page in roff."""
        self.assertTrue(self.run_config("man").output.startswith(".TH "))
