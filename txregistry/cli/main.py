"""``txregistry``: commands for operators of a registry."""

from __future__ import annotations

from collections.abc import Mapping

import click

from txregistry import __version__
from txregistry.cli.lazy import LazyGroup

_COMMANDS: Mapping[str, str] = {
    "adopt": "txregistry.cli.adopt:adopt",
    "client-config": "txregistry.cli.client_config:client_config",
    "config": "txregistry.cli.config:config",
    "export": "txregistry.cli.export:export",
    "explain": "txregistry.cli.explain:explain",
    "garbage-collect": "txregistry.cli.garbage_collect:garbage_collect",
    "health": "txregistry.cli.health:health",
    "import": "txregistry.cli.import_images:import_images",
    "offline": "txregistry.cli.offline_switch:offline",
    "pin": "txregistry.cli.pin:pin",
    "purge": "txregistry.cli.purge:purge",
    "ready": "txregistry.cli.ready:ready",
    "refresh": "txregistry.cli.refresh:refresh",
    "reload": "txregistry.cli.reload:reload",
    "status": "txregistry.cli.status:status",
    "unpin": "txregistry.cli.pin:unpin",
    "verify": "txregistry.cli.verify:verify",
    "warm": "txregistry.cli.warm:warm",
}


@click.group(cls=LazyGroup, places=_COMMANDS)
@click.version_option(__version__, "-v", "--version", prog_name="txregistry")
def main() -> None:
    """Maintain a registry."""
