"""``txregistry offline``: have a cache ask no upstream, or ask again."""

from __future__ import annotations

import json

import click

from txregistry.cli.asking import asked, config_option
from txregistry.cli.exits import epilog
from txregistry.cli.options import as_json_option


@click.command("offline", epilog=epilog("offline"))
@config_option
@click.argument("state", type=click.Choice(["on", "off"]), required=False)
@as_json_option
def offline(file: str | None, state: str | None, as_json: bool) -> None:
    """Have a cache ask no upstream anything (on), or ask again (off).

    Without a STATE, tell whether it does. It holds until the daemon ends, or until
    proxy.offline changes by a reload.
    """
    options = {} if state is None else {"on": state == "on"}
    report = asked(file, "offline", options, as_json)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    is_on = report["offline"]
    click.echo("offline: no upstream is asked" if is_on else "upstreams are asked")
