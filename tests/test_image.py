"""What can be seen of the container image without building it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.loading import load
from txregistry.cli.main import main

TOP = Path(__file__).parents[1]
IMAGE = TOP / "etc" / "image"
#: Seconds after which docker and podman kill what was told to end.
PATIENCE = 10


class ImageTests(SynchronousTestCase):
    """The recipe, and the configuration in it."""

    def setUp(self) -> None:
        self.recipe = (IMAGE / "Containerfile").read_text()

    def test_any_architecture(self) -> None:
        """Nothing in the recipe is of one architecture: base and package are."""
        commands = re.sub(r"^#.*$", "", self.recipe, flags=re.M)
        names = ("amd64", "arm64", "x86", "aarch64", "linux-gnu", "--platform")
        self.assertEqual([name for name in names if name in commands], [])

    def test_configuration(self) -> None:
        """It serves to the outside, from the volume, and ends before it is killed."""
        config, warnings = load(str(IMAGE / "config.yml"), {})
        self.assertEqual(warnings, [])
        root = config.storage.parameters["rootdirectory"]
        self.assertIn(f"VOLUME {root}\n", self.recipe)
        self.assertIn(f"EXPOSE {config.http.addr.removeprefix(':')}\n", self.recipe)
        self.assertLess(config.http.draintimeout, PATIENCE)

    def test_user(self) -> None:
        """It is not root, and the same one in the examples for Kubernetes."""
        (user,) = re.findall(r"^USER (\d+):(\d+)$", self.recipe, re.M)
        example = (TOP / "etc/examples/kubernetes/cache.yml").read_text()
        (pod,) = (
            x["spec"]["template"]["spec"]["securityContext"]
            for x in yaml.safe_load_all(example)
            if x["kind"] == "Deployment"
        )
        self.assertEqual(user, (str(pod["runAsUser"]), str(pod["runAsGroup"])))
        self.assertEqual(pod["fsGroup"], pod["runAsGroup"])
        self.assertNotIn("0", user)

    def test_health_check(self) -> None:
        """Its health is asked for by a command that there is."""
        (command,) = re.findall(r"^ +CMD (\[.*\])$", self.recipe, re.M)
        program, *arguments = json.loads(command)
        self.assertEqual(program, "txregistry")
        asked = CliRunner().invoke(main, [*arguments[:1], "--help"])
        self.assertEqual(asked.exit_code, 0)
