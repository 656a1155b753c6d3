"""What can be seen of the pages for administrators without running them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.pages import (
    EXAMPLES,
    PAGES,
    Block,
    blocks,
    messages,
    missing,
    without_comments,
)

READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "conf": tomllib.loads,
    "yml": yaml.safe_load,
    "yaml": yaml.safe_load,
}
VERBS = {"run", "file", "shows", "in code", "not run"}


def tagged(verb: str) -> list[tuple[Block, str]]:
    """Give the blocks with a tag, and what stands after its colon."""
    found = [(x, *x.tag.partition(": ")) for page in PAGES for x in blocks(page)]
    return [(block, rest) for block, name, _, rest in found if name == verb]


class PageTests(SynchronousTestCase):
    """Blocks and their tags."""

    def test_tags(self) -> None:
        """Each block says what is to be done with it; one that is not run says why."""
        for page in PAGES:
            found = [*blocks(page)]
            self.assertTrue(found)
            for block in found:
                self.assertIn(block.tag.partition(": ")[0], VERBS, block)
        for block, reason in tagged("not run"):
            self.assertTrue(reason, block)

    def test_files(self) -> None:
        """Each file can be read by what reads its kind."""
        for block, rest in tagged("file"):
            path = rest.partition(" = ")[0]
            READERS[path.rpartition(".")[2]](block.text)

    def test_examples(self) -> None:
        """A file that is an example too is the same there, but for its comments."""
        named = [(x, rest.partition(" = ")[2]) for x, rest in tagged("file")]
        same = [(block, example) for block, example in named if example]
        self.assertTrue(same)
        for block, example in same:
            text = without_comments((EXAMPLES / example).read_text())
            self.assertEqual(block.text.strip(), text, block)

    def test_messages(self) -> None:
        """Messages that are not provoked are in the code as they are quoted."""
        for block, _ in tagged("in code"):
            self.assertEqual(missing(block, messages()), [], block)
