"""Configurations as people have them: files of others' products, and environments.

The files beside this module have the shape that the product writes, with these in the
place of what differs: ``{address}`` and ``{debug}`` to listen on, ``{dir}`` for a
directory with the files that are named, ``{upstream}`` for a registry.
``tests/config/test_shapes.py`` checks each, ``tests/integration/test_shapes.py`` starts
it.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.shapes.environments import ENVIRONMENTS
from tests.shapes.files import FILES
from tests.shapes.shape import Shape

SHAPES: Mapping[str, Shape] = {**FILES, **ENVIRONMENTS}
