"""A configuration as somebody has it, and the files that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import bcrypt

from tests.auth.keys import ec_key, identity

USER, PASSWORD = "ann", "right"


@attrs.frozen
class Shape:
    """A configuration, and what it comes to.

    :ivar text: of the file; empty for none.
    :ivar expected: values by their keys.
    :ivar ignored: keys and variables that a warning is about, all of them.
    :ivar status: of ``GET /v2/`` without credentials.
    """

    text: str = ""
    environment: Mapping[str, str] = attrs.field(factory=dict)
    expected: Mapping[str, object] = attrs.field(factory=dict)
    ignored: frozenset[str] = frozenset()
    status: int = 200

    def filled(self, **places: object) -> tuple[str, dict[str, str]]:
        """Give the text and the variables with all places filled in."""
        variables = {
            name: _fill(value, places) for name, value in self.environment.items()
        }
        return _fill(self.text, places), variables

    @property
    def is_tls(self) -> bool:
        """Whether it speaks TLS."""
        return "tls.crt" in self.text + "".join(self.environment.values())


def _fill(text: str, places: Mapping[str, object]) -> str:
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def make_files(directory: Path) -> None:
    """Make the files that the configurations name."""
    own = identity("registry", ec_key(1), None, True)
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (directory / "passwd").write_text(f"{USER}:{hashed}:the administrator\n")
    (directory / "root.crt").write_bytes(own.pem)
    (directory / "tls.crt").write_bytes(own.pem)
    (directory / "tls.key").write_bytes(own.key_pem)
    (directory / "secret").write_text("hush-hush\n")


def links(service: str) -> dict[str, str]:
    """Give the variables that Kubernetes sets for a service."""
    port = f"{service}_PORT_5000_TCP"
    return {
        f"{service}_SERVICE_HOST": "10.0.0.1",
        f"{service}_SERVICE_PORT": "5000",
        f"{service}_SERVICE_PORT_HTTP": "5000",
        f"{service}_PORT": "tcp://10.0.0.1:5000",
        port: "tcp://10.0.0.1:5000",
        f"{port}_PROTO": "tcp",
        f"{port}_PORT": "5000",
        f"{port}_ADDR": "10.0.0.1",
    }
