"""``txregistry refresh``: ask upstreams what tags stand for, however fresh they are."""

from __future__ import annotations

import json
from typing import TextIO

import click

from txregistry.cli.asking import (
    asked_of_images,
    config_option,
    image_arguments,
    named_images,
)
from txregistry.cli.exits import epilog
from txregistry.cli.options import as_json_option


@click.command(epilog=epilog("refresh"))
@config_option
@image_arguments
@as_json_option
def refresh(
    file: str | None,
    images: tuple[str, ...],
    lists: tuple[TextIO, ...],
    as_json: bool,
) -> None:
    """Have a cache ask the upstream for the tag of each IMAGE now.

    Its manifest is fetched, and nothing else; warm fetches all.
    """
    wanted = named_images(images, lists)
    report = asked_of_images(file, "refresh", wanted, {}, as_json)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    for image in report["images"]:
        click.echo(f"{image['image']}: {image['digest']}")
