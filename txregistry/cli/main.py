"""``txregistry``: commands for operators of a registry."""

from __future__ import annotations

import click

from txregistry import __version__
from txregistry.cli.adopt import adopt
from txregistry.cli.config import config
from txregistry.cli.garbage_collect import garbage_collect
from txregistry.cli.health import health
from txregistry.cli.reload import reload
from txregistry.cli.verify import verify


@click.group()
@click.version_option(__version__, "-v", "--version", prog_name="txregistry")
def main() -> None:
    """Maintain a registry."""


for command in (adopt, config, garbage_collect, health, reload, verify):
    main.add_command(command)
