"""Password files as ``htpasswd -B`` writes them."""

from __future__ import annotations

from pathlib import Path

import bcrypt

# The least that bcrypt takes: the tests are not about how long a guess takes.
_ROUNDS = 4


def write_htpasswd(path: Path, **passwords: str) -> None:
    """Write a file with these users; Apache calls the same algorithm ``2y``."""
    lines = []
    for user, password in passwords.items():
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS))
        lines.append(f"{user}:{hashed.decode().replace('$2b$', '$2y$', 1)}\n")
    path.write_text("".join(lines))
