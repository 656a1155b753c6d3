"""``txregistry config schema``: for editors."""

from __future__ import annotations

import json

import click

from txregistry.auth.offered import ACCESS_CONTROLLERS
from txregistry.config.schema import schema
from txregistry.storagedriver.offered import STORAGE_DRIVERS


@click.command("schema")
@click.option("--strict", is_flag=True, help="Refuse unknown keys, which are ignored.")
def print_schema(strict: bool) -> None:
    """Print a JSON schema (draft 2020-12) of the configuration.

    Editors complete and check a file by it: the first line
    "# yaml-language-server: $schema=/path/to/schema.json" names it.
    """
    drivers, controllers = STORAGE_DRIVERS.others, ACCESS_CONTROLLERS.others
    found = schema(drivers, controllers, is_strict=strict)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))
