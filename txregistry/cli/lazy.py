"""Groups of commands that are imported when they are named."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are imported when one asks for them.

    ``--help`` asks for all of them, and the completion of a shell for those whose names
    begin with what was typed.

    :param places: of each command, as ``module:name``.
    """

    def __init__(self, *args: Any, places: Mapping[str, str], **known: Any) -> None:
        super().__init__(*args, **known)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names of all commands, in the order of the alphabet."""
        return sorted(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; give nothing for a name that is none."""
        place = self._places.get(cmd_name)
        if place is None:
            return None
        command: click.Command = resolve_name(place)
        return command
