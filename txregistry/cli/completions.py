"""Completion: ``python -m txregistry.cli.completions DIRECTORY`` writes it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from click.shell_completion import get_completion_class

from txregistry.cli.main import main as txregistry

#: The names under which shells look for the completion of ``txregistry``.
FILES: Mapping[str, str] = {
    "bash": "txregistry",
    "zsh": "_txregistry",
    "fish": "txregistry.fish",
}


def completion(shell: str) -> str:
    """Give the script of a shell, which asks the command itself for words."""
    kind = get_completion_class(shell)
    assert kind is not None, f"click knows {shell}"
    script = kind(txregistry, {}, "txregistry", "_TXREGISTRY_COMPLETE")
    # Not source(), which starts the shell to see how old it is.
    return script.source_template % script.source_vars()


def write(directory: Path) -> None:
    """Write all scripts into a directory, which is made if it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    for shell, name in FILES.items():
        (directory / name).write_text(completion(shell).strip() + "\n", "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
