"""Manual pages, completion, and the page of the configuration."""

from __future__ import annotations

import re
from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli import completions, manpages
from txregistry.cli.exits import STATUSES, meaning
from txregistry.cli.main import main
from txregistry.cli.reference import document
from txregistry.cli.roff import ManualPage, escaped
from txregistry.config.table import keys

DOCS = Path(__file__).parents[2] / "docs"


def plain(text: str) -> str:
    """Give the text of a page, without its instructions."""
    lines = [line for line in text.splitlines() if not re.match(r"\.(?!SS|TH)", line)]
    shown = " ".join(lines).replace(r"\:", "").replace(r"\(aq", "'")
    shown = shown.replace(r"\-", "-").replace(r"\(ha", "^").replace(r"\(dq", '"')
    return re.sub(r"\\f[BR]", "", shown)


def commands(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    """Give all commands below one, with their names."""
    if not isinstance(command, click.Group):
        return [(path, command)]
    found, context = [], click.Context(command)
    for name in command.list_commands(context):
        found += commands(command.get_command(context, name), f"{path} {name}")
    return found


class RoffTests(SynchronousTestCase):
    """Text in roff."""

    def test_escapes(self) -> None:
        """What roff would read otherwise is written so that it is shown."""
        self.assertEqual(escaped("a-b \\n 'c'"), r"a\-b \en \(aqc\(aq")
        self.assertEqual(escaped(".SH"), r"\&.SH")
        self.assertEqual(escaped('^~`"'), r"\(ha\(ti\(ga\(dq")
        self.assertEqual(escaped("A_" * 30), r"A_\:" * 30)

    def test_lines(self) -> None:
        """No line of text is an instruction, wherever it is broken."""
        page = ManualPage([".SH X"])
        page.text("word " * 15 + ".dot 'quote " * 9)
        page.code(".x\n\n'y")
        for line in page.lines:
            if line.startswith((".", "'")):
                self.assertRegex(line, r"^\.(SH X|PP|RS 4|RE|nf|fi)$")


class ManualTests(SynchronousTestCase):
    """The manual pages."""

    def setUp(self) -> None:
        self.pages = {name: plain(text) for name, text in manpages.pages().items()}

    def test_keys(self) -> None:
        """That of the configuration has every key, with its default and its release."""
        page = self.pages["txregistry-config.5"]
        for row in keys():
            at = page.index(f" {row.path} {row.doc}")
            told = page[at : at + 2000]
            self.assertIn(
                f"since: {'distribution ' * (row.known.since[0].isdigit())}", told
            )
            if not row.is_section:
                self.assertIn("default: ", told)

    def test_commands(self) -> None:
        """That of the commands has each of them, with all options and statuses."""
        page = self.pages["txregistry.8"]
        for path, command in commands(main, "txregistry"):
            self.assertIn(path, page)
            for param in command.params:
                if isinstance(param, click.Option):
                    self.assertIn(" ".join((param.help or "").split()), page)
        for status in STATUSES:
            self.assertIn(f"{status} {meaning(status)}", page)

    def test_kept_lines(self) -> None:
        """Lines that click keeps are kept, and its marks are not shown."""
        text = manpages.pages()["txregistry.8"]
        self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f]")
        page = ManualPage([".SH X"])
        manpages._tell(page, "First.\n\n\b\n0  one\n1  two")
        self.assertIn("First.\n", str(page))
        self.assertIn(".nf\n0  one\n1  two", str(page))

    def test_daemon(self) -> None:
        """That of the daemon has its options."""
        page = self.pages["twistd-registry.8"]
        for option in ("-c, --config=FILE", "--check", "--version", "78 ", "SIGHUP"):
            self.assertIn(option, page)

    def test_date(self) -> None:
        """The date is that of a reproducible build, or none."""
        self.assertEqual(manpages._date({"SOURCE_DATE_EPOCH": "86400"}), "1970-01-02")
        self.assertEqual(manpages._date({}), "")
        for text in manpages.pages("1970-01-02").values():
            self.assertIn('"1970-01-02"', text.split("\n")[0])

    def test_written(self) -> None:
        """They are written into a directory that may not be there yet."""
        directory = Path(self.mktemp()) / "man"
        manpages.write(directory, "")
        names = sorted(path.name for path in directory.iterdir())
        self.assertEqual(names, sorted(self.pages))


class CompletionTests(SynchronousTestCase):
    """Completion of shells."""

    def test_written(self) -> None:
        """One file for each shell, under the name that it looks for."""
        directory = Path(self.mktemp()) / "completion"
        completions.write(directory)
        for name, mark in (
            ("txregistry", "complete -o nosort -F _txregistry_completion txregistry"),
            ("_txregistry", "#compdef txregistry\n"),
            ("txregistry.fish", "complete --no-files --command txregistry"),
        ):
            text = (directory / name).read_text()
            self.assertIn(mark, text)
            self.assertIn("_TXREGISTRY_COMPLETE", text)


class ReferenceTests(SynchronousTestCase):
    """``docs/configuration.md``."""

    def test_current(self) -> None:
        """It is what the declarations make; ``make docs`` writes it."""
        self.assertEqual((DOCS / "configuration.md").read_text(), document())

    def test_keys(self) -> None:
        """It has a row for each key."""
        text = document()
        for row in keys():
            if "." in row.path or not row.is_section:
                self.assertIn(f"\n| `{row.path}` | {row.kind} ", text)
        for line in text.splitlines():
            if line.startswith("|"):
                self.assertEqual(len(re.findall(r"(?<!\\)\|", line)), 7, line)
