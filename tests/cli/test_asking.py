"""Which daemon is asked, about which images."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.cli.control import answering
from tests.cli.images import AskingCase
from txregistry.cli import asking as module
from txregistry.cli.asking import human_size, human_span

READY = {"images": [{"image": "a:latest", "lacks": ""}]}


class AskingTests(AskingCase):
    """What all of these commands have in common."""

    def test_images(self) -> None:
        """Those of the command line come first, then those of files; each once."""
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("# all of them\nb:v1  # why\n\n  a\nc\n")
        self.answered(READY, "ready", "a", "--file", path)
        self.assertEqual(self.options()["images"], ["a", "b:v1", "c"])
        self.answered(READY, "ready", "--file", "-", input="d\n")
        self.assertEqual(self.options()["images"], ["d"])

    def test_many(self) -> None:
        """A long list is asked for in parts, and reported as one."""
        asked: list[int] = []

        def answer(file: str, command: str, options: Any, *_: object) -> Any:
            asked.append(len(options["images"]))
            reports = [{"image": image, "lacks": ""} for image in options["images"]]
            return {"images": reports}

        self.patch(module, "asked", answer)
        names = [f"a{number}" for number in range(250)]
        result = self.run_command("ready", "-c", self.config, *names)
        self.assertEqual(asked, [100, 100, 50])
        self.assertEqual(len(result.output.splitlines()), 250)

    def test_no_images(self) -> None:
        """Without any it is a wrong command line."""
        for command in ("ready", "warm", "explain", "refresh", "purge"):
            result = self.run_command(command, "-c", self.config)
            self.assertEqual(result.exit_code, 2)
            self.assertIn("name an image", result.output)

    def test_variable(self) -> None:
        """The variable says which daemon it is, if the command line does not."""
        with answering(self.socket, {"report": READY}):
            environment = {"TXREGISTRY_CONFIG": self.config}
            result = self.run_command("ready", "a", env=environment)
        self.assertEqual((result.exit_code, result.output), (0, "a:latest: ready\n"))

    def test_nobody(self) -> None:
        """A daemon that is not there is said, also as JSON."""
        result = self.run_command("ready", "-c", self.config, "--json", "a")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("nobody listens", json.loads(result.stdout)["error"])
        with open(self.config, "w") as file:
            file.write("version: 0.1\nstorage: inmemory\n")
        environment = dict.fromkeys(("STATE_DIRECTORY",), "")
        result = self.run_command("ready", "-c", self.config, "a", env=environment)
        self.assertIn("has no control socket", result.output)

    def test_refused(self) -> None:
        """What the daemon says is said."""
        with answering(self.socket, {"error": "'A' is no name of a repository"}):
            result = self.run_command("ready", "-c", self.config, "A")
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(result.output, "'A' is no name of a repository\n")

    def test_unusable(self) -> None:
        """A configuration with problems ends with 78."""
        with open(self.config, "w") as file:
            file.write("version: 0.1\n")
        result = self.run_command("ready", "-c", self.config, "a")
        self.assertEqual(result.exit_code, 78)
        self.assertFalse(os.path.exists(self.socket))

    def test_sizes(self) -> None:
        """Sizes have three digits."""
        sizes = (0, 999, 1000, 12_345_678, 5e9, 7e12)
        self.assertEqual(
            [human_size(size) for size in sizes],
            ["0 B", "999 B", "1 kB", "12.3 MB", "5 GB", "7 TB"],
        )

    def test_spans(self) -> None:
        """The two largest units, without those of which there is nothing."""
        for seconds, expected in (
            (-1, "0s"),
            (0.4, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m1s"),
            (3600, "1h"),
            (3661, "1h1m"),
            (86_400, "1d"),
            (86_460, "1d"),
            (90_061, "1d1h"),
            (604_799, "6d23h"),
            (31_536_000, "365d"),
        ):
            self.assertEqual(human_span(seconds), expected)
