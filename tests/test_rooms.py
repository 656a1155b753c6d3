"""The import rules of the rooms: this table is the law, and it runs."""

from __future__ import annotations

import ast
import inspect
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import txregistry

HOUSE = Path(txregistry.__file__).parent
TESTS = Path(__file__).parent
LIBRARIES = {"treq", "klein", "yaml", "txredisapi", "prometheus_client", "OpenSSL"}
LIBRARIES |= {"werkzeug", "publicsuffixlist", "twisted", "zope", "attrs", "sqlite3"}
LIBRARIES |= {
    "joserfc",
    "bcrypt",
    "botocore",
    "cryptography",
    "click",
    "rich",
    "re2",
    "opentelemetry",
}

PURE = {"attrs"}
CORE = {"attrs", "twisted", "zope"}
BELOW = {"interfaces", "spec", "flow", "speed", "private_names"}

#: Room: what it may import of ours beside itself, and which of the libraries above.
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "spec": (set(), PURE | {"re2"}),
    "interfaces": ({"spec"}, CORE),
    "private_names": (set(), set()),
    "speed": ({"private_names"}, CORE | {"OpenSSL"}),
    # OpenSSL for connections that are not verified, of the upstream and of a store.
    "flow": ({"speed"}, CORE | {"sqlite3", "OpenSSL"}),
    "flow/redis": ({"flow", "speed", "private_names"}, CORE | {"txredisapi"}),
    "storagedriver/filesystem": (BELOW, CORE),
    "storagedriver/s3": (BELOW, CORE | {"botocore"}),
    "storagedriver": (BELOW | {"storagedriver/filesystem", "storagedriver/s3"}, CORE),
    "storage/tree": (BELOW, CORE),
    "storage/caches": (BELOW | {"flow/redis"}, CORE),
    "storage/content": (BELOW | {"storage/tree", "storage/caches"}, CORE | {"sqlite3"}),
    "storage/index": (BELOW | {"storage/tree"}, CORE | {"sqlite3"}),
    "storage/uploads": (
        BELOW | {"storage/tree", "storage/content", "storage/index"},
        CORE,
    ),
    "storage/repository": (
        BELOW
        | {"storage/tree", "storage/caches", "storage/content", "storage/index"}
        | {"storage/uploads"},
        CORE | {"joserfc"},
    ),
    "storage/gc": (
        BELOW | {"storage/tree", "storage/content", "storage/uploads"},
        CORE,
    ),
    "storage/scrub": (
        BELOW | {"storage/tree", "storage/content"},
        CORE | {"sqlite3"},
    ),
    "storage": (
        BELOW
        | {"storage/tree", "storage/caches", "storage/content", "storage/index"}
        | {"storage/uploads", "storage/repository"},
        CORE,
    ),
    "remote": (BELOW, CORE | {"treq", "OpenSSL", "publicsuffixlist"}),
    "proxy": (BELOW | {"flow/redis"}, CORE),
    "expiry": (BELOW | {"flow/redis"}, CORE | {"sqlite3"}),
    "images": (BELOW, CORE),
    # A ledger in SQLite that cannot be asked is no reason to stop.
    "eviction": (BELOW, CORE | {"sqlite3"}),
    "web": (BELOW, CORE | {"klein", "werkzeug"}),
    "web/console": (BELOW | {"web"}, CORE | {"klein", "werkzeug"}),
    "auth": (BELOW, CORE | {"joserfc", "bcrypt", "cryptography"}),
    "admin": (BELOW, CORE),
    "health": (BELOW, CORE | {"treq"}),
    "notifications": (BELOW, CORE | {"treq", "sqlite3"}),
    "observe": (BELOW, CORE | {"klein", "prometheus_client", "sqlite3"}),
    "middleware": (BELOW, CORE | {"treq", "cryptography"}),
    "tracing": (BELOW, CORE | {"opentelemetry"}),
    "config": ({"spec"}, PURE),
    "adopt": ({"spec", "config", "storage/tree"}, PURE),
    "ocilayout": ({"spec"}, PURE),
}

#: Runs what others have put together.
ROOMS["daemon"] = (set(ROOMS), CORE | {"OpenSSL", "sqlite3"})

#: Know everybody: they put the house together, or take it apart in tests.
EVERYBODY = {"tap", "cli", "assembly", "testing"}

CLOCKS = {"time", "random", "datetime"}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> frozenset[str]:
    """Give every module that a file imports, with ours in full."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {inner(node.module or "", name.name) for name in node.names}
    return frozenset(found)


def inner(module: str, name: str) -> str:
    """Give what an import from a module is about: a module in it, or itself."""
    deeper = f"{module}.{name}"
    return deeper if is_ours(deeper) and path_of(deeper) is not None else module


def is_ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] == "txregistry"


@cache
def path_of(module: str) -> Path | None:
    """Give the file of a module of ours."""
    place = HOUSE.joinpath(*module.split(".")[1:])
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.exists() and place != HOUSE:
            return path
    return None


def room_of(path: Path) -> str:
    """Give the innermost room in which a file lies."""
    parts = path.relative_to(HOUSE).parts
    inside = "/".join(parts[:2])
    return inside if inside in ROOMS else parts[0].removesuffix(".py")


def room_of_module(module: str) -> str:
    path = path_of(module)
    return module.split(".")[1] if path is None else room_of(path)


def ours(path: Path) -> set[str]:
    """Give the modules of ours that a file imports."""
    return {module for module in imports(path) if module.startswith("txregistry.")}


class RoomTests(SynchronousTestCase):
    """Rooms do not import one another."""

    def files(self) -> list[Path]:
        return [path for path in HOUSE.rglob("*.py") if room_of(path) in ROOMS]

    def test_every_module_is_in_a_room(self) -> None:
        """There is no module that no rule is about."""
        known = set(ROOMS) | EVERYBODY | {"__init__"}
        self.assertEqual({room_of(path) for path in HOUSE.rglob("*.py")} - known, set())

    def test_rooms_know_only_what_they_may(self) -> None:
        """Of ours, a room imports itself and the rooms below it."""
        for path in self.files():
            room = room_of(path)
            for module in ours(path):
                other = room_of_module(module)
                self.assertIn(other, {room} | ROOMS[room][0], f"{path}: {module}")

    def test_the_table_has_no_circle(self) -> None:
        """Of two rooms, one is below the other, or neither."""
        graph = {room: allowed for room, (allowed, _) in ROOMS.items()}
        self.assertEqual(list(circles(graph)), [])

    def test_modules_have_no_circle(self) -> None:
        """Nor does a module import one that imports it, wherever they are."""
        graph = {
            path: {found for module in ours(path) if (found := path_of(module))}
            for path in HOUSE.rglob("*.py")
        }
        self.assertEqual(list(circles(graph)), [])

    def test_names_of_classes_stand_once(self) -> None:
        """Who reads a name of a class knows which one is meant."""
        places: dict[str, list[str]] = defaultdict(list)
        for path in HOUSE.rglob("*.py"):
            for node in parsed(path).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(path.relative_to(HOUSE)))
        twice = {name: paths for name, paths in places.items() if len(paths) > 1}
        self.assertEqual(twice, {})

    def test_rooms_use_only_their_libraries(self) -> None:
        """Of the libraries, a room imports those that are its business."""
        for path in self.files():
            for module in imports(path):
                library = module.split(".")[0]
                if library in LIBRARIES:
                    allowed = ROOMS[room_of(path)][1]
                    self.assertIn(library, allowed, f"{path}: {module}")

    def test_interfaces_know_only_interfaces_of_twisted(self) -> None:
        """The contracts name Deferreds and Twisted's interfaces, nothing that acts."""
        allowed = {"twisted.internet.defer", "twisted.internet.interfaces"}
        for path in (HOUSE / "interfaces").glob("*.py"):
            twisted = {m for m in imports(path) if m.startswith("twisted")}
            self.assertEqual(twisted - allowed, set(), path)

    def test_the_pure_rooms_know_no_clock(self) -> None:
        """Time and chance come in as arguments."""
        for room in ("spec", "config"):
            for path in (HOUSE / room).rglob("*.py"):
                self.assertEqual(imports(path) & CLOCKS, set(), path)

    def test_nobody_imports_the_reactor_at_the_door(self) -> None:
        """The reactor is imported in ``tap.py``, inside a function."""
        for path in HOUSE.rglob("*.py"):
            if path.name != "tap.py":
                text = path.read_text()
                self.assertNotIn("from twisted.internet import reactor", text, path)


def circles(graph: dict) -> Iterator[list]:
    """Give what is left when what stands on nothing is taken away, again and again."""
    left = {node: set(below) & set(graph) for node, below in graph.items()}
    while free := {node for node, below in left.items() if not below - {node}}:
        left = {node: below - free for node, below in left.items() if node not in free}
    if left:
        yield sorted(map(str, left))


#: Of each library, the modules that may use names which it promises nothing about.
PRIVATE = {
    "speed/twisted_private.py": "twisted",
    "speed/tls_private.py": "twisted",
    "remote/twisted_private.py": "twisted",
    "web/http/twisted_private.py": "twisted",
    "web/http/h2_private.py": "h2",
    "flow/redis/txredisapi_private.py": "txredisapi",
    "testing/werkzeug_private.py": "werkzeug",
}

#: Documented in spite of their names, or ours: a test's house looks at one timer.
HARMLESS = {"_replace", "_exit"}
HARMLESS_IN = {"testing/house.py": {"_timer"}}

#: Take the name of an attribute.
REFLECTION = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "object"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_imports(tree: ast.AST) -> Iterator[str]:
    """Give what is imported from a private module, or is private there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            for name in (f"{module}.{alias.name}" for alias in node.names):
                if any(map(is_private, name.split("."))):
                    yield name.lstrip(".")


def private_attributes(tree: ast.AST) -> Iterator[str]:
    """Give the private names of things other than ``self``, spelled out or quoted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not is_own(node.value):
            yield node.attr
        elif isinstance(node, ast.Call):
            function = node.func
            name = getattr(function, "attr", getattr(function, "id", ""))
            if name in REFLECTION:
                quoted = [x.value for x in node.args if isinstance(x, ast.Constant)]
                yield from (text for text in quoted if isinstance(text, str))


def is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


def defined(tree: ast.AST) -> set[str]:
    """Give the names that a module gives to functions, and to what it assigns to."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and is_own(node.value):
            found |= {node.attr} if isinstance(node.ctx, ast.Store) else set()
    return found


def uses(tree: ast.ClassDef) -> set[str]:
    """Give the private names that a class defines, or uses of itself."""
    attributes = (x.attr for x in ast.walk(tree) if isinstance(x, ast.Attribute))
    return {name for name in (*attributes, *defined(tree)) if is_private(name)}


def inherited(kind: type) -> set[str]:
    """Give the private names that a class has from other people's classes."""
    found: set[str] = set()
    for base in kind.__mro__:
        if base.__module__.split(".")[0] not in ("txregistry", "builtins", "typing"):
            found |= {*vars(base), *getattr(base, "__annotations__", {})}
            found |= assigned(base)
    return {name for name in found if is_private(name)}


@cache
def assigned(base: type) -> set[str]:
    """Give the names that the methods of a class assign to."""
    node = classes(base.__module__).get(base.__qualname__)
    return set() if node is None else defined(node)


@cache
def classes(module: str) -> dict[str, ast.ClassDef]:
    """Give the classes of a module by their qualified names, outside of functions.

    ``inspect.getsource`` reads the whole module for each of them.
    """
    try:
        tree = ast.parse(inspect.getsource(import_module(module)))
    except (OSError, TypeError):
        return {}  # it is not written in Python
    return dict(classes_in(tree.body, ""))


def classes_in(body: list[ast.stmt], outer: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield f"{outer}{node.name}", node
            yield from classes_in(node.body, f"{outer}{node.name}.")
        elif isinstance(node, ast.If | ast.Try):
            yield from classes_in([*node.body, *node.orelse], outer)


class PrivateNameTests(SynchronousTestCase):
    """What a library promises nothing about is used in one place, and tested there.

    Another use belongs into the module of its library, under a name of ours, with a
    test of what is believed of it.
    """

    def files(self) -> list[tuple[str, ast.Module]]:
        paths = [(str(path.relative_to(HOUSE)), path) for path in HOUSE.rglob("*.py")]
        return [(name, parsed(path)) for name, path in paths if name not in PRIVATE]

    def test_modules_of_private_names(self) -> None:
        """Each of them has its test, and is of one library."""
        there = {str(path.relative_to(HOUSE)) for path in HOUSE.rglob("*_private.py")}
        self.assertEqual(there, set(PRIVATE))
        for name, library in PRIVATE.items():
            tests = TESTS.joinpath(name).with_name(f"test_{Path(name).name}")
            self.assertTrue(tests.exists(), tests)
            others = {
                module.split(".")[0] for module in private_imports(parsed(HOUSE / name))
            }
            self.assertLessEqual(others, {library}, name)

    def test_imports(self) -> None:
        """Nobody else imports what is private."""
        for name, tree in self.files():
            self.assertEqual(list(private_imports(tree)), [], name)

    def test_attributes(self) -> None:
        """Nor asks an object of a library for it, by name or by a quoted one."""
        for name, tree in self.files():
            ours = defined(tree) | HARMLESS | HARMLESS_IN.get(name, set())
            asked = {x for x in private_attributes(tree) if is_private(x)}
            self.assertEqual(asked - ours, set(), name)

    def test_subclasses(self) -> None:
        """Nor does a subclass use or replace it, be it by accident."""
        for name, tree in self.files():
            module = ".".join(("txregistry", *Path(name).with_suffix("").parts))
            for node in tree.body:
                if name == "tracing/otel.py" and not find_spec("opentelemetry"):
                    continue  # an extra
                kind = getattr(import_module(module), getattr(node, "name", ""), None)
                if isinstance(node, ast.ClassDef) and isinstance(kind, type):
                    met = uses(node) & inherited(kind)
                    self.assertEqual(met, set(), f"{name}: {node.name}")
