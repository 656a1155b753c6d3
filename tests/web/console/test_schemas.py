"""Schemas from types."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.eviction import Stays
from txregistry.web.console.schemas import (
    NUMBER,
    TEXT,
    extended,
    list_of,
    maybe,
    record,
    schema_of,
    without,
)


@attrs.frozen
class Inner:
    stays: Stays | None
    counts: Mapping[str, float]


@attrs.frozen
class Outer:
    name: str
    inner: tuple[Inner, ...]


class SchemasTests(SynchronousTestCase):
    """As a value of attrs becomes JSON."""

    def test_types(self) -> None:
        """Nested values, lists, maps, and what may be missing."""
        stays = {"enum": [member.value for member in Stays]}
        counts = {"type": "object", "additionalProperties": NUMBER}
        inner = record(stays=maybe(stays), counts=counts)
        self.assertEqual(schema_of(Outer), record(name=TEXT, inner=list_of(inner)))

    def test_none(self) -> None:
        """What is no value of JSON has no schema."""
        self.assertRaises(TypeError, schema_of, Callable[[], None])
        self.assertRaises(TypeError, schema_of, object)

    def test_changes(self) -> None:
        """Fields can be added and left out; those that stay are required."""
        one = record(a=TEXT, b=NUMBER)
        self.assertEqual(without(one, "b"), record(a=TEXT))
        self.assertEqual(extended(record(a=TEXT), b=NUMBER), one)
        self.assertEqual(one["required"], ["a", "b"])
