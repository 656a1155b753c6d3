"""The kinds of values that a key can have, and what a key says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NewType

import attrs

#: Seconds; written as ``10s``, ``1h30m`` or ``0`` in the file.
Duration = NewType("Duration", float)

_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h)")
_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}

SECRET = "secret"  # noqa: S105 - the name of a mark, not a secret
NO_EFFECT = "no effect"


def secret(default: Any = "") -> Any:
    """Declare a key whose value is never printed."""
    return attrs.field(default=default, metadata={SECRET: True})


def section(cls: type) -> Any:
    """Declare a section that need not be there; then it has its defaults."""
    return attrs.field(factory=cls)


def no_effect(why: str, default: Any = None) -> Any:
    """Declare a key of distribution that is accepted and does nothing, and say why."""
    return attrs.field(default=default, metadata={NO_EFFECT: why})


@attrs.frozen
class Scalar:
    """A plain value that YAML takes for a number, a date or the like.

    :ivar value: what YAML takes it for.
    :ivar text: as it was written, which is what a key of type text means: a
        password of ``0123`` is not 83.
    """

    value: object
    text: str


def plain(value: object) -> object:
    """Give a value as YAML takes it, all the way down."""
    if isinstance(value, Scalar):
        return value.value
    if isinstance(value, Mapping):
        return {str(plain(name)): plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def parse_duration(value: object) -> Duration:
    """Read a duration as Go writes it.

    :raise ValueError: it is none, or a bare number other than 0.
    """
    if value == 0 and not isinstance(value, bool):
        return Duration(0.0)
    text = value if isinstance(value, str) else ""
    if text == "0":
        return Duration(0.0)
    parts = _DURATION.findall(text)
    if not parts or "".join(parts) != text:
        raise ValueError("expected a duration such as 10s, 1h30m or 0")
    return Duration(sum(_seconds(part) for part in parts))


def _seconds(part: str) -> float:
    number = part.rstrip("nuµmsh")
    return float(number) * _UNITS[part[len(number) :]]


def host_and_port(address: str) -> tuple[str, int]:
    """Take an address apart that has been checked; IPv6 stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def format_duration(seconds: float) -> str:
    """Write a duration so that :func:`parse_duration` reads it."""
    return f"{seconds:g}s" if seconds else "0"
