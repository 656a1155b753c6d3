"""JSON with limits."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.nesting import MAX_DEPTH, MAX_PARTS, read_json


def nested(depth: int) -> str:
    """Give lists and objects in turn, so many within one another."""
    opening = "".join(
        '[{"x":'[step % 2 :][: 1 + 4 * (step % 2)] for step in range(depth)
    )
    closing = "".join("]}"[step % 2] for step in reversed(range(depth)))
    return f"{opening}1{closing}"


class ReadTests(SynchronousTestCase):
    """What is read, and what is refused."""

    def test_depth(self) -> None:
        """So many levels are read, one more is not, nor are very many."""
        self.assertEqual(json.dumps(read_json(nested(MAX_DEPTH))).count("["), 50)
        for depth in (MAX_DEPTH + 1, 100_000):
            with self.assertRaises(ValueError) as raised:
                read_json(nested(depth))
            self.assertEqual(str(raised.exception), "is nested too deep")

    def test_depth_from_anywhere(self) -> None:
        """The limit is the same for a caller that is itself deep in calls."""

        def deeper(calls: int) -> object:
            return deeper(calls - 1) if calls else read_json(nested(MAX_DEPTH))

        self.assertEqual(deeper(300), read_json(nested(MAX_DEPTH)))

    def test_empty_levels(self) -> None:
        """An empty list within the last level counts as a level."""
        read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
        deep = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
        self.assertRaises(ValueError, read_json, deep)

    def test_malformed(self) -> None:
        """What is no JSON, or not in UTF-8, is a ``ValueError`` as well."""
        for text in ("", "{", "[1,]", b"\xff", b'"\xff"'):
            self.assertRaises(ValueError, read_json, text)

    def test_options(self) -> None:
        """Options are those of ``json.loads``."""
        found = read_json('{"a": 1.5}', parse_float=str)
        self.assertEqual(found, {"a": "1.5"})

    def test_many_parts(self) -> None:
        """What is made of nothing but brackets is not read at all."""
        for part, text in ((b"[],", False), (b"{},", False), (b"[],", True)):
            content = b'{"x":[%b0]}' % (part * MAX_PARTS)
            with self.assertRaises(ValueError) as raised:
                read_json(content.decode() if text else content)
            self.assertIn("too many parts", str(raised.exception))
        self.assertEqual(len(read_json(b"[%b0]" % (b"[]," * 9000))), 9001)
