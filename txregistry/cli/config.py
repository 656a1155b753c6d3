"""``txregistry config``: about the configuration file and its keys."""

from __future__ import annotations

import click

from txregistry.cli.config_check import check
from txregistry.cli.config_explain import explain
from txregistry.cli.config_man import man
from txregistry.cli.config_schema import print_schema
from txregistry.cli.config_show import show


@click.group()
def config() -> None:
    """Check and show the configuration, and explain its keys.

    FILE is a configuration file. Without it, it is that of REGISTRY_CONFIGURATION_PATH,
    or /etc/txregistry/config.yml if that is there, or else the built-in configuration,
    a cache of Docker Hub. Variables of the environment (REGISTRY_...) are applied.
    """


for _command in (check, show, print_schema, explain, man):
    config.add_command(_command)
