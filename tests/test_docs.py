"""What the pages name is there: modules, notes, links, and examples as they stand."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import txregistry

HOUSE = Path(txregistry.__file__).parent
TOP = Path(__file__).parents[1]
DOCS = TOP / "docs"
ARCHITECTURE = DOCS / "architecture.md"
PAGES = [*sorted(DOCS.rglob("*.md")), TOP / "DEVELOPERS.md", TOP / "README.md"]

#: ``room/module``, a path from the top such as ``tests/x.py``, or a room with a slash.
PLACE = re.compile(r"[a-z_][a-z0-9_]*(?:/[a-z0-9_]+)*(?:/|/[a-z0-9_]+(?:\.\w+)?)")

#: ``txregistry.room.module``, perhaps with a name that is defined there.
DOTTED = re.compile(r"txregistry(?:\.\w+)+")

#: What lies below the storage directory.
NO_MODULES = ("txregistry/", "docker/", "fills/", "journal/", "damaged/", "queue/")

NOTE = re.compile(r"Note\s+\[([^\]]+)\]")
DEFINITION = re.compile(r'^\s*(?:""")?Note \[([^\]]+)\](?:\.|$)', re.MULTILINE)


def quoted(page: Path) -> Iterator[str]:
    """Give what stands in backticks on one line, outside of blocks of code."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    yield from re.findall(r"`([^`\n]+)`", text)


def is_place(name: str) -> bool:
    """Tell whether there is a module, a room or a file of that name."""
    bare = name.rstrip("/")
    return any(
        (top / end).exists() for top in (HOUSE, TOP) for end in (bare, f"{bare}.py")
    )


def defined(dotted: str) -> bool:
    """Tell whether a module is there, with a name in it that may follow; or a unit."""
    parts = dotted.split(".")[1:]
    if is_place("/".join(parts)) or (TOP / "debian" / dotted).exists():
        return True
    module = HOUSE.joinpath(*parts[:-1]).with_suffix(".py")
    if not module.exists():
        return f'"{dotted}"' in (TOP / "setup.py").read_text()
    names = (getattr(node, "name", None) for node in ast.parse(module.read_text()).body)
    return parts[-1] in names


def rows() -> dict[str, str]:
    """Give the table of the rooms: what stands about each."""
    found = re.findall(
        r"^\| `([a-z0-9_/]+)/` \| (.*) \|$", ARCHITECTURE.read_text(), re.M
    )
    return dict(found)


class ModuleTests(SynchronousTestCase):
    """Modules that are named."""

    def test_places(self) -> None:
        """Each module, room or file that a page names is there."""
        for page in PAGES:
            places = {name for name in quoted(page) if PLACE.fullmatch(name)}
            named = {name for name in places if not name.startswith(NO_MODULES)}
            self.assertEqual(
                {name for name in named if not is_place(name)}, set(), page
            )

    def test_dotted_names(self) -> None:
        """So is each module that is named as Python does, and what is in it."""
        for page in PAGES:
            named = {name for name in quoted(page) if DOTTED.fullmatch(name)}
            self.assertEqual({name for name in named if not defined(name)}, set(), page)

    def test_rooms(self) -> None:
        """The table has a row for each room, and for no other."""
        packages = {path.parent for path in HOUSE.rglob("__init__.py")} - {HOUSE}
        rooms = {str(path.relative_to(HOUSE)) for path in packages}
        self.assertEqual(set(rows()), rooms)

    def test_modules_of_a_room(self) -> None:
        """What a row has in backticks are modules of its room."""
        for room, text in rows().items():
            modules = {path.stem for path in (HOUSE / room).glob("*.py")}
            self.assertEqual(set(re.findall(r"`(\w+)`", text)) - modules, set(), room)


class NoteTests(SynchronousTestCase):
    """Notes that modules hold, and that others refer to."""

    def setUp(self) -> None:
        self.modules = {path: path.read_text() for path in HOUSE.rglob("*.py")}
        texts = self.modules.values()
        self.written = Counter(t for text in texts for t in DEFINITION.findall(text))

    def test_once(self) -> None:
        """Each is written in one place."""
        self.assertEqual([t for t, times in self.written.items() if times > 1], [])

    def test_references(self) -> None:
        """Whatever refers to one, a page or a module, finds it."""
        pages = {page: page.read_text() for page in PAGES}
        for path, text in (self.modules | pages).items():
            titles = {" ".join(title.split()) for title in NOTE.findall(text)}
            missing = titles - self.written.keys() - {"X"}
            self.assertEqual(missing, set(), path)

    def test_places_of_notes(self) -> None:
        """A page that says where a note is, is right."""
        for page in PAGES:
            text = " ".join(page.read_text().split())
            for title, place in re.findall(r"Note \[([^\]]+)\] in `([^`]+)`", text):
                found = DEFINITION.findall((HOUSE / f"{place}.py").read_text())
                self.assertIn(title, found, page.name)


class LinkTests(SynchronousTestCase):
    """Pages that refer to each other."""

    def test_links(self) -> None:
        """Each link to a file leads to one."""
        for page in PAGES:
            for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
                self.assertTrue((page.parent / target).exists(), f"{page}: {target}")

    def test_decisions(self) -> None:
        """The list of decisions has each page with its date and title, in order."""
        index = (DOCS / "decisions" / "README.md").read_text()
        listed = re.findall(r"^\| (\S+) \| \[(.*)\]\((.*)\) \|$", index, re.M)
        pages = sorted((DOCS / "decisions").glob("[0-9]*.md"))
        expected = [
            (
                page.name[:10],
                page.read_text().split("\n")[0].removeprefix("# "),
                page.name,
            )
            for page in pages
        ]
        self.assertEqual(listed, expected)


class ExampleTests(SynchronousTestCase):
    """Examples on pages."""

    def test_verbatim(self) -> None:
        """Each is the file that runs as a test, to the letter; none is left out."""
        text = (DOCS / "extending.md").read_text()
        shown = dict(
            re.findall(r"^<!-- (\S+) -->\n```python\n(.*?)^```", text, re.M | re.S)
        )
        examples = TOP / "tests" / "examples"
        files = {
            str(path.relative_to(TOP)): path.read_text()
            for path in examples.glob("[!_]*.py")
            if not path.name.startswith("test_")
        }
        self.assertEqual(shown, files)
