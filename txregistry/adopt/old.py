"""The service that is taken over: who it runs as, and what it reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from txregistry.adopt.findings import Finding, Level
from txregistry.adopt.unitfile import UNIT_DIRECTORIES, UnitFile, find_unit
from txregistry.adopt.variables import read_variables, split_words

#: Keys of a service that make no difference to who takes over.
_PASSED_OVER = frozenset(
    (
        *("ExecStart", "User", "Group", "Environment", "EnvironmentFile"),
        *("Type", "Restart", "RestartSec", "KillMode", "KillSignal", "UMask"),
        *("TimeoutStopSec", "TimeoutStartSec", "TimeoutSec", "PIDFile", "GuessMainPID"),
        *("StandardOutput", "StandardError", "SyslogIdentifier", "WorkingDirectory"),
        *("AmbientCapabilities", "CapabilityBoundingSet", "NoNewPrivileges"),
    )
)

#: Without them the files that the old service made belong to nobody that we can be.
_CANNOT = frozenset(("DynamicUser", "RootDirectory", "RootImage"))

_EXPANDED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")

DEFAULT_CONFIG = "/etc/docker/registry/config.yml"


@attrs.frozen
class OldPlaces:
    """Where an old service is looked for.

    :ivar defaults: the file that only the init script of Debian's package reads.
    """

    unit_directories: Sequence[Path] = UNIT_DIRECTORIES
    defaults: Path = Path("/etc/default/docker-registry")


@attrs.frozen
class OldService:
    """What the unit of the old service says.

    :ivar unit: the name of the unit.
    :ivar environment: all variables that the unit sets.
    :ivar findings: what is odd about the unit.
    """

    unit: str
    user: str = "root"
    group: str = ""
    config: str = DEFAULT_CONFIG
    environment: Mapping[str, str] = attrs.field(factory=dict)
    directory: str = ""
    umask: str = ""
    findings: tuple[Finding, ...] = ()


@attrs.define
class _Told:
    """Collects what is odd."""

    findings: list[Finding] = attrs.field(factory=list)

    def say(self, level: Level, about: str, text: str) -> None:
        self.findings.append(Finding(level, about, text))


def read_old(
    unit: str, config: str | None = None, places: OldPlaces | None = None
) -> OldService:
    """Read the unit of the old service and its files of variables.

    :param config: the configuration file, if it is not the one that the unit names.
    """
    places, told = places or OldPlaces(), _Told()
    try:
        found = find_unit(unit, places.unit_directories)
    except OSError as error:
        told.say(Level.CANNOT, unit, f"cannot be read: {error}")
        return OldService(unit, findings=tuple(told.findings))
    if found is None:
        told.say(Level.CANNOT, unit, "there is no such unit")
        found = UnitFile((), ())
    environment = _environment(found, told)
    _tell_of_defaults(found, places.defaults, told)
    _tell_of_keys(found, told)
    named = _named_config(found, environment, told) if found.paths else ""
    return OldService(
        unit=unit,
        user=found.last("User", "root"),
        group=found.last("Group"),
        config=config or named or DEFAULT_CONFIG,
        environment=environment,
        directory=found.last("WorkingDirectory"),
        umask=found.last("UMask"),
        findings=tuple(told.findings),
    )


def _environment(unit: UnitFile, told: _Told) -> dict[str, str]:
    """Give the variables; those of files count more than those of the unit."""
    variables: dict[str, str] = {}
    for value in unit.all("Environment"):
        for word in _words(value, "Environment=", told):
            name, _, text = word.partition("=")
            variables[name] = text
    for path in unit.all("EnvironmentFile"):
        variables |= _file_of_variables(path, told)
    return variables


def _words(value: str, about: str, told: _Told) -> list[str]:
    try:
        return split_words(value)
    except ValueError:
        told.say(Level.CANNOT, about, "has a quote that is not closed")
        return []


def _file_of_variables(value: str, told: _Told) -> dict[str, str]:
    is_optional, path = value.startswith("-"), value.removeprefix("-")
    try:
        return read_variables(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not is_optional:
            told.say(Level.CANNOT, path, "is named by the unit and is not there")
    except (OSError, ValueError) as error:
        told.say(Level.CANNOT, path, f"cannot be read: {error}")
    return {}


def _tell_of_defaults(unit: UnitFile, path: Path, told: _Told) -> None:
    named = {value.removeprefix("-") for value in unit.all("EnvironmentFile")}
    if str(path) in named or not path.exists():
        return
    if any(
        name.startswith("REGISTRY_") for name in _file_of_variables(str(path), told)
    ):
        text = "the unit does not read it: what it sets had no effect and gets none"
        told.say(Level.LOOK, str(path), text)


def _tell_of_keys(unit: UnitFile, told: _Told) -> None:
    for key in sorted(unit.keys() - _PASSED_OVER):
        level = Level.CANNOT if key in _CANNOT else Level.LOOK
        value = unit.last(key)
        told.say(level, f"{key}={value}", "of the old unit is not taken over")


def _named_config(unit: UnitFile, variables: Mapping[str, str], told: _Told) -> str:
    """Give the file that ``docker-registry serve FILE`` is started with."""
    words = _words(unit.last("ExecStart"), "ExecStart=", told)
    if "serve" not in words:
        text = "expected a command that ends with: serve FILE"
        told.say(Level.CANNOT, f"ExecStart={' '.join(words)}", text)
        return ""
    after = [_expanded(word, variables) for word in words[words.index("serve") + 1 :]]
    return next(
        (word for word in after if word and not word.startswith("-")),
        variables.get("REGISTRY_CONFIGURATION_PATH", ""),
    )


def _expanded(word: str, variables: Mapping[str, str]) -> str:
    return _EXPANDED.sub(lambda found: variables.get(found[1] or found[2], ""), word)
