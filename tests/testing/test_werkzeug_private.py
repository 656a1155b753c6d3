"""What we rely on of werkzeug's routes, and it does not promise."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from werkzeug.routing import Map, Rule

from txregistry.testing import werkzeug_private
from txregistry.testing.werkzeug_private import builders_shared


def table() -> Map:
    return Map([Rule("/v2/<path:name>/tags", endpoint="tags"), Rule("/", endpoint="/")])


class SharedBuilderTests(SynchronousTestCase):
    """Tables of routes that are made while builders are shared."""

    def test_compiled_once(self) -> None:
        """What builds URLs is compiled for the first of those that are alike."""
        calls = []
        compile_ = werkzeug_private._compile

        def counted(rule: Rule, append_unknown: bool = True) -> object:
            calls.append(rule.rule)
            return compile_(rule, append_unknown)

        self.patch(werkzeug_private, "_compiled", {})
        self.patch(werkzeug_private, "_compile", counted)
        with builders_shared():
            table()
        first = len(calls)
        self.assertGreater(first, 0, "making a house takes three times as long")
        with builders_shared():
            table()
        self.assertEqual(len(calls), first)

    def test_the_same_table(self) -> None:
        """Routes are found, and URLs built, as in any other table."""
        with builders_shared():
            tables = [table(), table()]
        for made in (*tables, table()):
            urls = made.bind("x")
            self.assertEqual(urls.match("/v2/a/b/tags"), ("tags", {"name": "a/b"}))
            self.assertEqual(urls.build("tags", {"name": "a/b"}), "/v2/a/b/tags")
