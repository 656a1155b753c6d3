"""``txregistry config schema``: for editors."""

from __future__ import annotations

import json

import click

from txregistry.auth.maker import known_controllers
from txregistry.config.access import CONTROLLERS
from txregistry.config.schema import schema
from txregistry.config.storage import DRIVERS
from txregistry.storagedriver.maker import known_drivers


@click.command("schema")
@click.option("--strict", is_flag=True, help="Refuse unknown keys, which are ignored.")
def print_schema(strict: bool) -> None:
    """Print a JSON schema (draft 2020-12) of the configuration.

    Editors complete and check a file by it: the first line
    "# yaml-language-server: $schema=/path/to/schema.json" names it.
    """
    drivers = known_drivers() - set(DRIVERS)
    controllers = known_controllers() - set(CONTROLLERS)
    found = schema(drivers, controllers, is_strict=strict)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))
