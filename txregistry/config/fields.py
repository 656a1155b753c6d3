"""The kinds of values that a key can have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NewType

import attrs

#: Seconds; written as ``10s``, ``1h30m``, ``7d`` or ``0`` in the file.
Duration = NewType("Duration", float)

#: Bytes; written as ``20MiB``, ``20MB`` or a whole number in the file.
Size = NewType("Size", int)

_SIZE = re.compile(r"(\d+(?:\.\d*)?) ?([KMGT]i?B|kB|B)?")

#: Bytes of each unit of sizes, the largest first.
_SIZE_UNITS = {
    **{f"{letter}iB": 1024**n for n, letter in zip((4, 3, 2, 1), "TGMK", strict=True)},
    **{f"{letter}B": 1000**n for n, letter in zip((4, 3, 2, 1), "TGMK", strict=True)},
    "kB": 1000,
    "B": 1,
}

#: The largest size, as of a file.
_MAX_BYTES = 2**63 - 1

_DURATION = re.compile(r"((?:\d+(?:\.\d*)?|\.\d+))(ns|us|µs|μs|ms|s|m|h|d|w)")

#: Go's units, of which the micro sign is two characters, and our days and weeks.
_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 7 * 86400.0,
}

#: The longest duration of Go.
_MAX_NANOSECONDS = 2**63 - 1

#: What the name of a key ends in that names a file with the value of another one.
TWIN = "file"

#: Parameters of any driver or controller whose names contain one of these are secret.
_SECRET_WORDS = (
    "secret",
    "password",
    "key",
    "token",
    "credential",
    "connectionstring",
)


def is_secret(name: str) -> bool:
    """Tell by its name if a parameter that no model declares is secret."""
    return any(word in name.lower() for word in _SECRET_WORDS)


@attrs.frozen
class Scalar:
    """A plain value that YAML reads as a number, a date or the like.

    :ivar value: the value as YAML reads it.
    :ivar text: as it was written, which counts for a key of type text: a password of
        ``0123`` is not 83.
    """

    value: object
    text: str


def plain(value: object) -> object:
    """Give a value as YAML reads it, at all levels."""
    if isinstance(value, Scalar):
        return value.value
    if isinstance(value, Mapping):
        return {str(plain(name)): plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def key_text(name: object) -> str:
    """Give a key of a mapping as it was written."""
    return name.text if isinstance(name, Scalar) else str(name)


def is_empty(value: object) -> bool:
    """Tell if a value is empty: none, an empty text, or sections and lists of such."""
    if isinstance(value, Mapping):
        return all(is_empty(item) for item in value.values())
    if isinstance(value, list):
        # An empty text in a list is an item: as a pattern it matches everything.
        return all(item != "" and is_empty(item) for item in value)
    return value is None or value == ""


#: Names of the kinds of values, for messages.
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "text"),
    (Mapping, "a mapping"),
    ((list, tuple), "a list"),
    (type(None), "nothing"),
)


def kind_of(value: object) -> str:
    """Give the name of a value's kind, for messages."""
    value = plain(value)
    names = (name for kind, name in _KINDS if isinstance(value, kind))
    return next(names, "a value of another kind")


def parse_duration(value: object) -> Duration:
    """Read a duration as Go does; a bare whole number counts nanoseconds.

    :raise ValueError: it is malformed, below 0, or longer than Go's limit (292 years).
    """
    if isinstance(value, int) and not isinstance(value, bool):
        seconds = value / 1e9 if 0 <= value <= _MAX_NANOSECONDS else -1.0
    else:
        seconds = _seconds(value.removeprefix("+")) if isinstance(value, str) else -1.0
    if not 0 <= seconds <= _MAX_NANOSECONDS / 1e9:
        raise ValueError("expected a duration such as 10s, 1h30m, 7d or 0")
    return Duration(seconds)


def _seconds(text: str) -> float:
    """Add up the parts of a duration; -1 if it is malformed."""
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text or not parts:
        return 0.0 if text == "0" else -1.0
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def parse_size(value: object) -> Size:
    """Read a size; a bare number counts bytes.

    :raise ValueError: it is malformed, or below 0.
    """
    found = _SIZE.fullmatch(str(value)) if isinstance(value, int | str) else None
    if found is None or isinstance(value, bool):
        raise ValueError("expected a size such as 512KiB, 20MiB, 1.5GB or 0")
    size = int(float(found[1]) * _SIZE_UNITS[found[2] or "B"])
    if size > _MAX_BYTES:
        raise ValueError("expected a smaller size")
    return Size(size)


def format_size(size: int) -> str:
    """Write a size so that :func:`parse_size` reads it."""
    for unit, factor in _SIZE_UNITS.items():
        if size and size % factor == 0 and "i" in unit:
            return f"{size // factor}{unit}"
    return str(size)


def host_and_port(address: str) -> tuple[str, int]:
    """Split a valid address into host and port; IPv6 is in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def format_duration(seconds: float) -> str:
    """Write a duration so that :func:`parse_duration` reads it."""
    text = f"{seconds:.9f}".rstrip("0").rstrip(".")
    return f"{text}s" if seconds else "0"


def spoken_duration(seconds: float) -> str:
    """Write a duration as somebody would: in whole hours or minutes, if it is some."""
    for unit in ("h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return format_duration(seconds)
