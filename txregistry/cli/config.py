"""``txregistry config``: about the configuration file and its keys."""

from __future__ import annotations

from collections.abc import Mapping

import click

from txregistry.cli.lazy import LazyGroup

_COMMANDS: Mapping[str, str] = {
    "check": "txregistry.cli.config_check:check",
    "explain": "txregistry.cli.config_explain:explain",
    "man": "txregistry.cli.config_man:man",
    "schema": "txregistry.cli.config_schema:print_schema",
    "show": "txregistry.cli.config_show:show",
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def config() -> None:
    """Check and show the configuration, and explain its keys.

    FILE is a configuration file. Without it, it is that of REGISTRY_CONFIGURATION_PATH,
    or /etc/txregistry/config.yml if that is there, or else the built-in configuration,
    a cache of Docker Hub. Variables of the environment (REGISTRY_...) are applied.
    """
