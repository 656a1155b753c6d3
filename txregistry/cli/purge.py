"""``txregistry purge``: remove cached images before they expire."""

from __future__ import annotations

import json
from typing import TextIO

import click

from txregistry.cli.asking import asked, config_option, list_option, named_images
from txregistry.cli.exits import epilog
from txregistry.cli.options import as_json_option


@click.command(epilog=epilog("purge"))
@config_option
@click.argument("images", nargs=-1)
@list_option
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    metavar="NAME",
    help="All of this repository; can be said several times.",
)
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="KEY",
    help="All of this upstream, by its key in proxy.upstreams; can be said several"
    " times.",
)
@as_json_option
def purge(
    file: str | None,
    images: tuple[str, ...],
    lists: tuple[TextIO, ...],
    repositories: tuple[str, ...],
    upstreams: tuple[str, ...],
    as_json: bool,
) -> None:
    """Remove each IMAGE from a cache, but for what other tags of it need.

    What is being read is deleted when nobody reads it any more. The next pull fetches
    it again.
    """
    elsewhere = bool(repositories or upstreams)
    has_images = bool(images or lists)
    options = {
        "images": named_images(images, lists) if has_images or not elsewhere else [],
        "repositories": list(repositories),
        "upstreams": list(upstreams),
    }
    report = asked(file, "purge", options, as_json)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(
        f"removed {report['tags']} tags, {report['manifests']} manifests,"
        f" {report['blobs']} blobs"
    )
