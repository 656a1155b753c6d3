"""Text of YAML, with bounds."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.yamltext import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_VALUES,
    Document,
    parse_yaml,
    read_text,
)


class YamlTests(SynchronousTestCase):
    """What a text comes to, and what is refused."""

    def refused(self, text: str) -> str:
        return str(self.assertRaises(ValueError, parse_yaml, text))

    def test_nothing(self) -> None:
        """An empty text has no value."""
        for text in ("", "# a remark\n", "---\n"):
            self.assertIn(parse_yaml(text).value, (None,))
        self.assertEqual(parse_yaml(""), Document(None))

    def test_scalars(self) -> None:
        """A plain scalar has its text beside its value, and keys are texts."""
        found = parse_yaml("5000: 0755\nyes: 1e3\n").value
        self.assertEqual(list(found), ["5000", "yes"])
        self.assertEqual(found["5000"].text, "0755")
        self.assertEqual(found["5000"].value, 0o755)
        self.assertEqual(found["yes"], "1e3")

    def test_lines(self) -> None:
        """Each key and item has its line."""
        found = parse_yaml("a:\n  b: [1,\n    2]\nc: d\n").lines
        self.assertEqual(found, {"a": 1, "a.b": 2, "a.b[0]": 2, "a.b[1]": 3, "c": 4})

    def test_merged_keys_have_no_line_twice(self) -> None:
        """What << merges in is part of the value."""
        found = parse_yaml("a: &a {x: y}\nb:\n  <<: *a\n").value
        self.assertEqual(found["b"], {"x": "y"})

    def test_too_large(self) -> None:
        """Too many characters, values or levels are refused, aliases expanded."""
        bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        for name, before in ("ba", "cb", "dc", "ed"):
            bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
        for text, word in (
            ("x" * (MAX_CHARACTERS + 1), "cannot be read"),
            (bomb, str(MAX_VALUES)),
            ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), str(MAX_DEPTH)),
            ("a: &a [*a]", "contains it"),
        ):
            self.assertIn(word, self.refused(text))

    def test_secrets_are_not_quoted(self) -> None:
        """What is wrong is told by its place, without the text that is there."""
        for text in ("password: *hunter2\n", 'a: "hunter2', "a: !hunter2 x\n"):
            told = self.refused(text)
            self.assertNotIn("hunter2", told)
            self.assertIn("line 1", told)

    def test_files(self) -> None:
        """A file that is no text is refused."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"\xff")
        self.assertIn("UTF-8", str(self.assertRaises(ValueError, read_text, path)))
        self.assertRaises(OSError, read_text, path + "x")
        self.assertRaises(ValueError, read_text, "/dev/zero")
