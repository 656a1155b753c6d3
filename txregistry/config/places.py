"""Which key a ``REGISTRY_…`` variable names, and how it gets its value (pure)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

import attrs

from txregistry.config.access import CONTROLLERS, Auth
from txregistry.config.declare import declared
from txregistry.config.fields import TWIN, is_secret
from txregistry.config.storage import NAMED_DRIVERS, Storage, is_driver

#: Drivers of distribution: known as names, though no package may provide them.
_DRIVERS = frozenset(
    ("azure", "filesystem", "gcs", "inmemory", "oss", "rados", "s3", "s3aws", "swift")
)

_Parameters = Mapping[str, object]

#: Gives the names of drivers and controllers; called when no name of ours fits.
Names = Callable[[], Collection[str]]


class NoPlace(Exception):
    """A variable names no key."""


@attrs.frozen
class Place:
    """Where in a mapping a value belongs.

    :ivar steps: keys of mappings and positions in lists, from the outside in.
    :ivar is_fileable: the value is text that may be in a file instead.
    :ivar is_list: the value is a list of texts.
    :ivar other: the place of the key that names a file with this value, or of the value
        that this one names a file for; empty for none. Not both can be given.
    """

    steps: tuple[str | int, ...] = ()
    is_fileable: bool = False
    is_list: bool = False
    other: tuple[str | int, ...] = ()

    @property
    def path(self) -> str:
        """Give the path as shown in problems."""
        return path_of_steps(self.steps)


@attrs.frozen
class _Inner:
    """One step further in: its name, its type, and whether it is secret.

    :ivar other: the step to its twin, if it has one or is one.
    """

    step: str | int
    hint: Any
    is_fileable: bool = False
    other: str = ""


def find(
    mapping: object, hint: Any, segments: Sequence[str], names: Names = frozenset
) -> Place:
    """Find the place that the parts of a variable's name lead to.

    :param hint: the mapping's type in the model.
    :param names: gives the drivers and controllers that installed packages provide.
    :raise NoPlace: there is none.
    """
    here, is_fileable = mapping, False
    steps: list[str | int] = []
    other: list[str | int] = []
    for segment in segments:
        inner = _inner(here, hint, segment, names)
        other = [*steps, inner.other] if inner.other else other and [*other, inner.step]
        steps.append(inner.step)
        is_fileable = inner.is_fileable or (is_fileable and hint is not object)
        here, hint = _below(here, inner.step), inner.hint
    is_list = get_args(hint) == (str, ...)
    is_text = hint is str or (hint is object and not isinstance(here, Mapping))
    is_fileable = is_fileable and (is_text or is_list)
    return Place(tuple(steps), is_fileable, is_list, tuple(other))


def path_of_steps(steps: Sequence[str | int]) -> str:
    """Give a path as shown in problems."""
    parts = [f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps]
    return "".join(parts).removeprefix(".")


def _inner(here: object, hint: Any, segment: str, names: Names) -> _Inner:
    if not segment:
        raise NoPlace
    if get_origin(hint) is tuple:
        return _item(here, get_args(hint)[0], segment)
    if hint is Storage or hint is Auth:
        return _offered(here, hint, segment, names)
    if attrs.has(hint):
        return _field(hint, segment)
    if hint is object and here is not None and not isinstance(here, Mapping):
        raise NoPlace
    if hint is not object and get_origin(hint) is not Mapping:
        raise NoPlace
    return _entry(here, hint, segment)


def _item(here: object, hint: Any, segment: str) -> _Inner:
    count = len(here) if isinstance(here, list) else 0
    if not segment.isdecimal() or int(segment) > count:
        raise NoPlace
    return _Inner(int(segment), hint)


def _offered(here: object, hint: Any, segment: str, names: Names) -> _Inner:
    """Find a section of storage, or a known driver or controller.

    Other programs have such variables: ``REGISTRY_AUTH_FILE`` is podman's.
    """
    if hint is Storage and not is_driver(segment.lower()):
        return _field(Storage, segment)
    known = _DRIVERS if hint is Storage else CONTROLLERS.keys()
    given = (*_as_section(here), *known)
    found = _spelled(segment, given) or _spelled(segment, names())
    if found is None:
        raise NoPlace
    return _Inner(found, _section_of(hint, found))


def _spelled(segment: str, names: Collection[str]) -> str | None:
    return next((name for name in names if name.upper() == segment), None)


def _section_of(hint: Any, name: str) -> Any:
    if hint is Storage:
        return NAMED_DRIVERS.get(name, _Parameters)
    return CONTROLLERS.get(name, _Parameters)


def _field(hint: Any, segment: str) -> _Inner:
    hints = get_type_hints(hint)
    for field in attrs.fields(hint):
        is_fileable, twin = declared(field).in_file, field.name + TWIN
        if field.name.upper() == segment:
            other = twin if is_fileable else ""
            return _Inner(field.name, hints[field.name], is_fileable, other)
        if is_fileable and twin.upper() == segment:
            is_text = hints[field.name] is str
            return _Inner(twin, str if is_text else Mapping[str, str], other=field.name)
    raise NoPlace


def _entry(here: object, hint: Any, segment: str) -> _Inner:
    names = here if isinstance(here, Mapping) else ()
    name = next((name for name in names if name.upper() == segment), segment.lower())
    arguments = get_args(hint)
    inner = arguments[1] if len(arguments) == 2 else object
    return _Inner(name, inner, inner is object and is_secret(name))


def _below(here: object, step: str | int) -> object:
    if isinstance(step, int):
        return here[step] if isinstance(here, list) and step < len(here) else None
    return here.get(step) if isinstance(here, Mapping) else None


def put(here: object, steps: Sequence[str | int], value: object) -> object:
    """Give a copy of a mapping with a value in a place."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    below = put(_below(here, step), rest, value)
    if isinstance(step, int):
        items = list(here) if isinstance(here, list) else []
        return [*items[:step], below, *items[step + 1 :]]
    return {**_as_section(here), step: below}


def without(here: object, steps: Sequence[str | int]) -> object:
    """Give a copy of a mapping in which a place is empty."""
    found, (step, *rest) = _below(here, steps[0]), steps
    if found is None:
        return here
    if rest:
        return put(here, [step], without(found, rest))
    assert isinstance(here, Mapping), "the last step is the name of a key"
    return {name: item for name, item in here.items() if name != step}


def _as_section(here: object) -> Mapping[str, object]:
    if isinstance(here, Mapping):
        return here
    # A bare name means a section of that name without parameters.
    return {here: {}} if isinstance(here, str) and here else {}
