"""``tests/`` mirrors ``txregistry/``: the tests of a module are where one looks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import txregistry
from tests.test_rooms import parsed

HOUSE = Path(txregistry.__file__).parent
TESTS = Path(__file__).parent

#: Tests of a room as a whole, or of one promise that several of its modules keep. They
#: name no module; a new one that stands here has to be worth its place.
WHOLE = {
    "assembly/test_nodes.py",
    "assembly/test_shared.py",
    "auth/test_advisories.py",
    "cli/test_pages.py",
    "config/test_config.py",
    "config/test_shapes.py",
    "expiry/test_expiry.py",
    "health/test_health.py",
    "notifications/test_credentials.py",
    "proxy/test_faults.py",
    "proxy/test_nodes.py",
    "proxy/test_renewed.py",
    "proxy/test_status.py",
    "proxy/test_year.py",
    "storage/index/test_index_threads.py",
    "storage/test_foreign.py",
    "storage/test_shared.py",
    "storagedriver/filesystem/test_power.py",
    "storagedriver/s3/test_faults.py",
    "web/http/test_headers.py",
    "web/http/test_leftovers.py",
    "web/http/test_limits.py",
    "web/test_access.py",
    "web/test_ends.py",
    "web/test_gone.py",
    "web/test_leaving.py",
    "web/test_malformed.py",
    "web/test_registry_model.py",
    "web/test_upload_model.py",
    "web/test_web.py",
}

#: Modules with functions that have no tests of their own name. They may become fewer;
#: who adds a module adds its tests.
MOST_WITHOUT = 69


def modules() -> Iterator[Path]:
    """Give the modules that do something, by their places in the house."""
    for path in sorted(HOUSE.rglob("*.py")):
        if path.name != "__init__.py" and does_something(parsed(path)):
            yield path.relative_to(HOUSE)


def does_something(tree: ast.Module) -> bool:
    """Tell whether a module has a function with more than a docstring in it."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    functions = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    return any(not is_docstring(step) for node in functions for step in node.body)


def is_docstring(step: ast.stmt) -> bool:
    return isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant)


def tests_of(module: Path) -> Path:
    return module.with_name(f"test_{module.name}")


class MirrorTests(SynchronousTestCase):
    """Places and names."""

    def test_no_orphans(self) -> None:
        """A test module in the place of a room has the name of a module there."""
        orphans = []
        for path in sorted(TESTS.rglob("test_*.py")):
            place = path.relative_to(TESTS)
            is_mirrored = len(place.parts) > 1 and (HOUSE / place.parent).is_dir()
            name = place.with_name(place.name.removeprefix("test_"))
            if is_mirrored and str(place) not in WHOLE and not (HOUSE / name).exists():
                orphans.append(str(place))
        self.assertEqual(orphans, [])

    def test_whole(self) -> None:
        """Those that name no module are there, and do not name one after all."""
        for place in map(Path, WHOLE):
            self.assertTrue((TESTS / place).exists(), place)
            name = place.with_name(place.name.removeprefix("test_"))
            self.assertFalse((HOUSE / name).exists(), place)

    def test_modules_without_tests(self) -> None:
        """They do not become more: each other module has tests of its name."""
        without = [path for path in modules() if not (TESTS / tests_of(path)).exists()]
        names = " ".join(map(str, without))
        self.assertLessEqual(len(without), MOST_WITHOUT, names)
