"""The kinds of values that a key can have, and what a key says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NewType

import attrs

#: Seconds; written as ``10s``, ``1h30m``, ``7d`` or ``0`` in the file.
Duration = NewType("Duration", float)

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

SECRET = "secret"  # noqa: S105 - the name of a mark, not a secret
FROM_FILE = "from file"
URL = "url"
NO_EFFECT = "no effect"


def secret(default: Any = "") -> Any:
    """Declare a key whose value is never printed, and may lie in a file."""
    return attrs.field(default=default, metadata={SECRET: True, FROM_FILE: True})


def from_file(default: Any = "") -> Any:
    """Declare a key that is no secret but may lie in a file, as its secret does.

    See ``_FILE`` in :mod:`txregistry.config.environment`.
    """
    return attrs.field(default=default, metadata={FROM_FILE: True})


def service_url() -> Any:
    """Declare the URL of a service, which may hold a token, and may lie in a file."""
    return attrs.field(metadata={URL: True, FROM_FILE: True})


def section(cls: type) -> Any:
    """Declare a section that need not be there; then it has its defaults."""
    return attrs.field(factory=cls)


def no_effect(why: str, default: Any = None) -> Any:
    """Declare a key of distribution that is accepted and does nothing, and say why."""
    return attrs.field(default=default, metadata={NO_EFFECT: why})


#: Parameters of any driver or controller whose names contain one of these are secret.
_SECRET_WORDS = ("secret", "password", "key", "token", "credential")


def is_secret(name: str) -> bool:
    """Tell if a parameter that no model declares is kept secret, by its name."""
    return any(word in name.lower() for word in _SECRET_WORDS)


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


def key_text(name: object) -> str:
    """Give a key of a mapping as it was written."""
    return name.text if isinstance(name, Scalar) else str(name)


def is_empty(value: object) -> bool:
    """Tell if nothing is said: no value, no text, or sections and lists of nothing."""
    if isinstance(value, Mapping):
        return all(is_empty(item) for item in value.values())
    if isinstance(value, list):
        # An empty text in a list is an item: as a pattern it matches everything.
        return all(item != "" and is_empty(item) for item in value)
    return value is None or value == ""


#: What a kind of value is called where somebody reads it.
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "text"),
    (Mapping, "a mapping"),
    ((list, tuple), "a list"),
    (type(None), "nothing"),
)


def kind_of(value: object) -> str:
    """Say in plain words of which kind a value is."""
    value = plain(value)
    names = (name for kind, name in _KINDS if isinstance(value, kind))
    return next(names, "a value of another kind")


def parse_duration(value: object) -> Duration:
    """Read a duration as Go does; a bare whole number counts nanoseconds.

    :raise ValueError: it is none, below 0, or longer than Go can count (292 years).
    """
    if isinstance(value, int) and not isinstance(value, bool):
        seconds = value / 1e9 if 0 <= value <= _MAX_NANOSECONDS else -1.0
    else:
        seconds = _seconds(value.removeprefix("+")) if isinstance(value, str) else -1.0
    if not 0 <= seconds <= _MAX_NANOSECONDS / 1e9:
        raise ValueError("expected a duration such as 10s, 1h30m, 7d or 0")
    return Duration(seconds)


def _seconds(text: str) -> float:
    """Add up the parts of a duration; -1 for what is none."""
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text or not parts:
        return 0.0 if text == "0" else -1.0
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def host_and_port(address: str) -> tuple[str, int]:
    """Take an address apart that has been checked; IPv6 stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def format_duration(seconds: float) -> str:
    """Write a duration so that :func:`parse_duration` reads it."""
    text = f"{seconds:.9f}".rstrip("0").rstrip(".")
    return f"{text}s" if seconds else "0"
