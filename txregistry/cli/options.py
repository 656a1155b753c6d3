"""Options that several commands have, and values in the syntax of the configuration."""

from __future__ import annotations

from typing import Any

import click

from txregistry.config.fields import parse_duration, parse_size
from txregistry.spec.errors import NameInvalid
from txregistry.spec.reference import RepositoryName


class Seconds(click.ParamType[float]):
    """A duration, in the syntax of the configuration."""

    name = "duration"

    def convert(self, value: Any, param: Any, context: Any) -> float:
        """Read one."""
        try:
            return float(parse_duration(value))
        except ValueError as error:
            self.fail(str(error), param, context)


class ByteSize(click.ParamType[int]):
    """A size, in the syntax of the configuration."""

    name = "size"

    def convert(self, value: Any, param: Any, context: Any) -> int:
        """Read one."""
        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, context)


class Repository(click.ParamType[str]):
    """The name of a repository."""

    name = "name"

    def convert(self, value: Any, param: Any, context: Any) -> str:
        """Check one."""
        try:
            return str(RepositoryName.parse(value))
        except NameInvalid:
            self.fail(f"{value!r} cannot be the name of a repository", param, context)


#: Adds ``--json``.
as_json_option = click.option("--json", "as_json", is_flag=True, help="Report in JSON.")

#: Adds ``--unlocked``, of commands that work without a daemon.
unlocked_option = click.option(
    "--unlocked",
    is_flag=True,
    help="Also where nothing tells whether a registry uses the storage: stop it first,"
    " or make it read-only.",
)
