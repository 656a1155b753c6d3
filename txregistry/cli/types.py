"""Values of options, in the syntax of the configuration."""

from __future__ import annotations

from typing import Any

import click

from txregistry.config.fields import parse_duration, parse_size


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
