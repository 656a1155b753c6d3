"""From what is known of the old service to the steps of a takeover (pure).

Note [As who it ran]. Ours runs as the user of the old service, by a drop-in for our
unit. The storage, the certificates and the passwords then belong to who has to read
them, nothing is given to another owner, and what is pushed meanwhile belongs to the old
service as well: going back is as fast for a million blobs as for one. To change owners
would take as long as the store is large, twice, and leave both services without access
if it ends in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address

import attrs

from txregistry.adopt.probe import Probe
from txregistry.adopt.steps import (
    AwaitAnswer,
    DisableUnit,
    EnableUnit,
    ReadUnits,
    StartUnits,
    Step,
    StopUnits,
    WriteFile,
)
from txregistry.adopt.variables import unit_word, write_variables
from txregistry.config.fields import host_and_port

SERVICE = "txregistry.service"
SOCKET = "txregistry.socket"

CONFIG = "/etc/txregistry/config.yml"
VARIABLES = "/etc/default/txregistry"
SERVICE_DROP_IN = f"/etc/systemd/system/{SERVICE}.d/50-adopted.conf"
SOCKET_DROP_IN = f"/etc/systemd/system/{SOCKET}.d/50-adopted.conf"

#: Added to the name of a file that was there before.
KEPT = ".before-adopt"

#: Variables of the old unit that we read as well.
_READ = re.compile(
    r"REGISTRY_(?!CONFIGURATION_PATH$).*|OTEL_.*|(?:HTTPS?|NO|ALL)_PROXY", re.IGNORECASE
)

_HOMES = ("/home/", "/root/", "/run/user/")
_TEMPORARY = ("/tmp/", "/var/tmp/")  # noqa: S108

_BY = "txregistry adopt"


@attrs.frozen
class UnitState:
    """What systemd says of a unit."""

    is_there: bool = False
    is_active: bool = False
    is_enabled: bool = False


@attrs.frozen
class PlanFacts:
    """All that the steps depend on.

    :ivar config: the text of the old configuration file, with its mode and owner.
    :ivar reads: files that the configuration names.
    :ivar ports: that are listened on.
    :ivar has_group: there is a group called txregistry.
    :ivar kept: where to keep files that are there and will be written, by their paths.
    """

    old_unit: str
    old: UnitState
    service: UnitState
    socket: UnitState
    source: str
    config: str
    mode: int
    uid: int
    gid: int
    user: str
    group: str
    umask: str
    directory: str
    environment: Mapping[str, str]
    root: str
    reads: tuple[str, ...]
    ports: tuple[int, ...]
    probe: Probe
    patience: float
    has_group: bool
    kept: Mapping[str, str]

    @property
    def stream(self) -> str:
        """Give what our socket unit is to listen on; empty if it cannot."""
        return listen_stream(self.probe) if self.socket.is_enabled else ""


def make_plan(facts: PlanFacts) -> list[Step]:
    """Give the steps; undone in reverse, all is as it was."""
    return [
        *_make_room(facts),
        *_files(facts),
        ReadUnits(),
        DisableUnit(facts.old_unit, facts.old.is_enabled),
        EnableUnit(SERVICE, facts.service.is_enabled),
        *_disable_socket(facts),
        # From here on nobody serves, until ours does: all else is done before.
        _stop({facts.old_unit: facts.old}),
        StartUnits((SOCKET, SERVICE) if facts.stream else (SERVICE,)),
        AwaitAnswer(SERVICE, facts.probe, facts.patience),
    ]


def _make_room(facts: PlanFacts) -> list[Step]:
    """Stop ours, whatever it did so far; undone, it is started as the last."""
    ours = {SOCKET: facts.socket} if facts.socket.is_there else {}
    return [_stop({**ours, SERVICE: facts.service}), ReadUnits()]


def _stop(units: Mapping[str, UnitState]) -> StopUnits:
    active = [name for name, state in units.items() if state.is_active]
    return StopUnits(tuple(units), tuple(active))


def _disable_socket(facts: PlanFacts) -> list[Step]:
    if facts.stream or not facts.socket.is_there:
        return []
    # Enabling the service enables the socket, which would have another address.
    return [DisableUnit(SOCKET, facts.socket.is_enabled)]


def _files(facts: PlanFacts) -> list[Step]:
    owner = (facts.mode, facts.uid, facts.gid)
    told = f"# By {_BY} from {facts.source}\n"
    files = [
        WriteFile(CONFIG, told + facts.config, *owner),
        WriteFile(VARIABLES, told_variables(facts), 0o600, 0, 0),
        WriteFile(SERVICE_DROP_IN, drop_in(facts), 0o644, 0, 0),
    ]
    if facts.stream:
        files.append(
            WriteFile(SOCKET_DROP_IN, _socket_drop_in(facts.stream), 0o644, 0, 0)
        )
    return [attrs.evolve(file, kept=facts.kept.get(file.path, "")) for file in files]


def told_variables(facts: PlanFacts) -> str:
    """Give the file of variables, with those of the old unit that we read."""
    variables = {n: v for n, v in facts.environment.items() if _READ.fullmatch(n)}
    return f"# By {_BY} from {facts.old_unit}\n{write_variables(variables)}"


def unread(environment: Mapping[str, str]) -> list[str]:
    """Give the variables of the old unit that we do not read."""
    names = (name for name in environment if name != "REGISTRY_CONFIGURATION_PATH")
    return sorted(name for name in names if not _READ.fullmatch(name))


def drop_in(facts: PlanFacts) -> str:
    """Give the drop-in that lets our unit do what the old one does."""
    lines = [
        f"# By {_BY}: as {facts.old_unit} ran; taken back by {_BY} --back",
        "[Service]",
        f"User={facts.user}",
        f"Group={facts.group}",
        f"UMask={facts.umask or '0022'}",
        f"ReadWritePaths={unit_word(facts.root)}",
        f"EnvironmentFile={unit_word(VARIABLES)}",
    ]
    if facts.has_group:
        # Our directory of configuration is for this group.
        lines.append("SupplementaryGroups=txregistry")
    if facts.directory:
        lines.append(f"WorkingDirectory={facts.directory}")
    used = (facts.root, *facts.reads)
    if any(f"{path}/".startswith(_HOMES) for path in used):
        lines.append("ProtectHome=no")
    if any(f"{path}/".startswith(_TEMPORARY) for path in used):
        lines.append("PrivateTmp=no")
    if any(0 < port < 1024 for port in facts.ports):
        # Inside a user namespace the capability would not hold outside.
        lines.append("PrivateUsers=no")
        lines += [
            f"{name}=CAP_NET_BIND_SERVICE"
            for name in ("CapabilityBoundingSet", "AmbientCapabilities")
        ]
    return "\n".join(lines) + "\n"


def _socket_drop_in(stream: str) -> str:
    return f"# By {_BY}\n[Socket]\nListenStream=\nListenStream={stream}\n"


def listen_stream(probe: Probe) -> str:
    """Give an address as a socket unit has it; empty if it needs a name's address."""
    if probe.net != "tcp":
        return ""
    host, port = host_and_port(probe.address)
    if not host:
        return str(port)
    try:
        is_six = ip_address(host).version == 6
    except ValueError:
        return ""
    return f"[{host}]:{port}" if is_six else f"{host}:{port}"
