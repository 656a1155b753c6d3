"""The import rules of the rooms: this table is the law, and it runs."""

from __future__ import annotations

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import txregistry

HOUSE = Path(txregistry.__file__).parent
LIBRARIES = {"treq", "klein", "yaml", "txredisapi", "prometheus_client", "OpenSSL"}
LIBRARIES |= {"werkzeug", "publicsuffixlist", "twisted", "zope", "attrs", "sqlite3"}
LIBRARIES |= {"joserfc", "bcrypt", "cryptography", "click", "rich"}

PURE = {"attrs"}
CORE = {"attrs", "twisted", "zope"}

#: Room: what it may import of ours, and which of the libraries above.
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "spec": (set(), PURE | {"re2"}),
    "interfaces": ({"spec"}, CORE),
    "flow": (set(), CORE | {"sqlite3"}),
    "storagedriver": ({"interfaces", "spec", "flow"}, CORE),
    "storage": (
        {"interfaces", "spec", "flow"},
        CORE | {"joserfc", "sqlite3", "txredisapi"},
    ),
    "remote": (
        {"interfaces", "spec", "flow"},
        CORE | {"treq", "OpenSSL", "publicsuffixlist"},
    ),
    "proxy": ({"interfaces", "spec", "flow"}, CORE),
    "expiry": ({"interfaces", "spec", "flow"}, CORE | {"sqlite3"}),
    "web": ({"interfaces", "spec", "flow"}, CORE | {"klein", "werkzeug"}),
    "auth": (
        {"interfaces", "spec", "flow"},
        CORE | {"joserfc", "bcrypt", "cryptography"},
    ),
    "admin": ({"interfaces", "spec", "flow"}, CORE),
    "health": ({"interfaces", "spec", "flow"}, CORE | {"treq"}),
    "notifications": ({"interfaces", "spec", "flow"}, CORE | {"treq", "sqlite3"}),
    "observe": (
        {"interfaces", "spec", "flow"},
        CORE | {"klein", "prometheus_client"},
    ),
    "config": ({"spec"}, PURE),
}

#: Know everybody: they put the house together, or take it apart in tests.
EVERYBODY = {"tap", "house", "services", "wiring", "loading", "lock"}
EVERYBODY |= {
    "tls",
    "listening",
    "memory",
    "namedfiles",
    "notifying",
    "secret",
    "testing",
    "cli",
    "upstream",
}

CLOCKS = {"time", "random", "datetime"}


def imports(path: Path) -> set[str]:
    """Give every module that a file imports, with ours in full."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def room_of(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


class RoomTests(SynchronousTestCase):
    """Rooms do not import one another."""

    def files(self):
        return [path for path in HOUSE.rglob("*.py") if room_of(path) in ROOMS]

    def test_every_module_is_in_a_room(self) -> None:
        """There is no module that no rule is about."""
        known = set(ROOMS) | EVERYBODY | {"__init__"}
        self.assertEqual({room_of(path) for path in HOUSE.rglob("*.py")} - known, set())

    def test_rooms_know_only_what_they_may(self) -> None:
        """Of ours, a room imports itself and the rooms below it."""
        for path in self.files():
            room = room_of(path)
            for module in imports(path):
                if module.startswith("txregistry."):
                    other = module.split(".")[1]
                    self.assertIn(other, {room} | ROOMS[room][0], f"{path}: {module}")

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
