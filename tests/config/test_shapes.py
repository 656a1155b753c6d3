"""Each configuration of ``tests/shapes`` is read, and means what it says."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.shapes import SHAPES
from tests.shapes.shape import Shape, make_files
from txregistry.assembly.loading import load
from txregistry.tap import Options


def value_at(config: object, path: str) -> object:
    """Give the value of a key."""
    found = config
    for name in path.split("."):
        if isinstance(found, Mapping):
            found = found[name]
        else:
            found = found[int(name)] if name.isdigit() else getattr(found, name)
    return found


class ShapeTests(SynchronousTestCase):
    """``--check`` of each configuration."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        make_files(self.directory)

    def prepare(self, shape: Shape) -> tuple[str | None, dict[str, str]]:
        text, environment = shape.filled(
            address=":5000",
            debug="localhost:5001",
            dir=self.directory,
            upstream="https://registry-1.docker.io",
        )
        path = self.directory / "config.yml"
        path.write_text(text)
        return (str(path) if text else None), environment

    def test_what_they_come_to(self) -> None:
        """Each comes to what its product means; what is ignored is told, no more."""
        for name, shape in SHAPES.items():
            config, warnings = load(*self.prepare(shape))
            for path, value in shape.expected.items():
                self.assertEqual(value_at(config, path), value, f"{name}: {path}")
            self.assertEqual(config.http.addr, ":5000", name)
            told = [warning.partition(": ")[0] for warning in warnings]
            self.assertEqual(sorted(told), sorted(shape.ignored), name)
            root = config.storage.parameters["rootdirectory"]
            self.assertEqual(root, f"{self.directory}/data", name)
            self.assertTrue(shape.expected, name)

    def test_check(self) -> None:
        """--check of each ends with 0, prints no secret and makes no file."""
        for name, shape in SHAPES.items():
            path, environment = self.prepare(shape)
            before = sorted(self.directory.rglob("*"))
            out, err = io.StringIO(), io.StringIO()
            self.patch(os, "environ", environment)
            self.patch(sys, "stdout", out)
            self.patch(sys, "stderr", err)
            options = ["--check"] if path is None else ["-c", path, "--check"]
            with self.assertRaises(SystemExit) as ended:
                Options().parseOptions(options)
            self.assertEqual(ended.exception.code, 0, f"{name}: {err.getvalue()}")
            self.assertNotIn("hush-hush", out.getvalue() + err.getvalue(), name)
            self.assertEqual(sorted(self.directory.rglob("*")), before, name)
