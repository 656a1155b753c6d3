"""``REGISTRY_…`` variables override keys of the file (distribution's rule).

The name after the prefix, split at underscores, is a path of keys in upper case; the
value is YAML. Variables are taken in the order of their names, so that
``REGISTRY_STORAGE=filesystem`` replaces the section before
``REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY`` sets a parameter of it.

A secret may be in a file: ``REGISTRY_PROXY_PASSWORD_FILE`` names one whose text is the
password, as Docker and Kubernetes provide secrets.

Environments are shared. A variable that names no key causes a warning and changes
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs

from txregistry.config.keypaths import is_within, path_of
from txregistry.config.model import VERSIONS, Config
from txregistry.config.places import (
    Names,
    NoPlace,
    Place,
    find,
    path_of_steps,
    put,
    without,
)

PREFIX = "REGISTRY_"

_FILE = "_FILE"

#: Names that are not keys but give the path of the file.
_RESERVED = frozenset((f"{PREFIX}CONFIGURATION_PATH",))

_VERSION = f"{PREFIX}VERSION"

#: Variables that Kubernetes and Docker set for a service named ``registry…``.
_LINK = re.compile(
    r".*_(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?"
    r"|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_LINK_VALUE = re.compile(r"(?:tcp|udp|sctp)://.*")


@attrs.define
class Overridden:
    """A mapping with the variables applied.

    :ivar problems: with values of variables that name a key.
    :ivar origins: the variable that set a key, by the key's path.
    """

    mapping: Mapping[str, object]
    warnings: list[str] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)
    origins: dict[str, str] = attrs.field(factory=dict)

    def set(self, name: str, place: Place, value: object) -> None:
        """Set what a variable names."""
        found = put(self.mapping, place.steps, value)
        if place.other:
            # Of a value and the file of one, what the variable says counts.
            found = without(found, place.other)
            other = self.origins.get(path_of_steps(place.other))
            if other is not None:
                self.problems.append(f"{name}: excludes {other}")
        assert isinstance(found, Mapping), "a place has at least one step"
        self.mapping = found
        self.origins[place.path] = name

    def with_origin(self, problem: str) -> str:
        """Add to a problem the variable that it comes from, if any."""
        path = path_of(problem)
        outer = [origin for origin in self.origins if is_within(path, origin)]
        inner = [origin for origin in self.origins if is_within(origin, path)]
        found = [max(outer, key=len)] if outer else inner
        names = ", ".join(self.origins[origin] for origin in found)
        return f"{problem} (see {names})" if names else problem


@attrs.frozen
class Override:
    """How variables are read.

    :ivar parse: reads YAML; raises ``ValueError`` for malformed text.
    :ivar read: gives the text of a file; raises ``OSError`` or ``ValueError``.
    :ivar names: gives the drivers and controllers that installed packages provide.
    """

    parse: Callable[[str], object]
    read: Callable[[str], str]
    names: Names = frozenset

    def apply(
        self, mapping: Mapping[str, object], environment: Mapping[str, str]
    ) -> Overridden:
        """Apply the variables to a copy of a mapping."""
        result = Overridden(mapping)
        for name in sorted(environment):
            if name.startswith(PREFIX) and name not in _RESERVED:
                self._apply(result, name, environment)
        return result

    def _apply(
        self, result: Overridden, name: str, environment: Mapping[str, str]
    ) -> None:
        reason = why_ignored(name, environment[name])
        if reason is not None:
            result.warnings.append(f"{name}: {reason} and is ignored")
            return
        secret = self._find(result, name.removesuffix(_FILE))
        if name.endswith(_FILE) and secret is not None and secret.is_fileable:
            self._from_file(result, name, secret, environment)
            return
        place = self._find(result, name)
        if place is None:
            result.warnings.append(f"{name}: names no known key and is ignored")
            return
        try:
            result.set(name, place, self.parse(environment[name]))
        except ValueError as error:
            result.problems.append(f"{name}: is not YAML: {error}")

    def _find(self, result: Overridden, name: str) -> Place | None:
        segments = name.removeprefix(PREFIX).split("_")
        try:
            return find(result.mapping, Config, segments, self.names)
        except NoPlace:
            return None

    def _from_file(
        self,
        result: Overridden,
        name: str,
        place: Place,
        environment: Mapping[str, str],
    ) -> None:
        path, twin = environment[name], name.removesuffix(_FILE)
        if twin in environment:
            result.warnings.append(f"{name}: is ignored, as {twin} is there as well")
            return
        if not path:
            result.warnings.append(f"{name}: names no file and is ignored")
            return
        try:
            text = self.read(path)
        except OSError as error:
            result.problems.append(f"{name}: cannot be read: {path}: {error.strerror}")
        except ValueError as error:
            result.problems.append(f"{name}: cannot be read: {path}: {error}")
        else:
            text = text.removesuffix("\n").removesuffix("\r")
            result.set(name, place, [text] if place.is_list else text)


def why_ignored(name: str, value: str) -> str | None:
    """Give the reason to ignore a variable of another program, if it is one."""
    if name == _VERSION and value.strip(" \"'") not in VERSIONS:
        return "is no version of a configuration"
    is_port = name.endswith("_PORT") and _LINK_VALUE.fullmatch(value)
    if is_port or _LINK.fullmatch(name):
        return "is set for links between services"
    return None
