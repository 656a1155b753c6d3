"""``txregistry ready``: would images still be pulled if the link died now?"""

from __future__ import annotations

import json
from typing import TextIO

import click

from txregistry.cli.asking import (
    asked_of_images,
    config_option,
    image_arguments,
    named_images,
    platform_option,
)
from txregistry.cli.exits import FAILED, epilog
from txregistry.cli.options import as_json_option


@click.command(epilog=epilog("ready"))
@config_option
@image_arguments
@platform_option
@as_json_option
def ready(
    file: str | None,
    images: tuple[str, ...],
    lists: tuple[TextIO, ...],
    platforms: tuple[str, ...],
    as_json: bool,
) -> None:
    """Tell whether each IMAGE could be pulled if all upstreams were gone now.

    Without --platform an image has to be complete for each platform of which something
    is here. Ends with 1, and says what is missing, if a pull would fail.
    """
    wanted, options = named_images(images, lists), {"platforms": list(platforms)}
    report = asked_of_images(file, "ready", wanted, options, as_json)
    lacking = [image for image in report["images"] if image["lacks"]]
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        for image in report["images"]:
            click.echo(f"{image['image']}: {image['lacks'] or 'ready'}")
    if lacking:
        raise SystemExit(FAILED)
