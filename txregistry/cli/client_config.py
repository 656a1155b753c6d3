"""``txregistry client-config``: files that lead clients to a cache."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import attrs
import click

from txregistry.cli.asking import config_of, config_option
from txregistry.cli.exits import epilog, fail
from txregistry.cli.options import as_json_option
from txregistry.config.http import Http


@click.command("client-config", epilog=epilog("client-config"))
@config_option
@click.argument("client", type=click.Choice(["containerd", "docker", "podman", "k3s"]))
@click.option(
    "--url",
    help="Where the client reaches the cache, as scheme, host and port; by default"
    " http.host, or the address that it listens at.",
)
@click.option(
    "--ca",
    default="",
    help="The path, at the client, of the certificate authority of the cache.",
)
@as_json_option
def client_config(
    file: str | None, client: str, url: str | None, ca: str, as_json: bool
) -> None:
    """Print the files that lead CLIENT to a cache, for all its upstreams.

    Each has its path in a comment before it.
    """
    config = config_of(file, as_json)
    if not config.proxy.is_cache:
        fail("a registry that caches no upstream is the mirror of none", as_json)
    # It knows how upstreams are called, which takes longer than the rest.
    from txregistry.cli.clientfiles import CLIENTS, CacheAddress, cached_hosts

    address = CacheAddress((url or reached_at(config.http)).rstrip("/"), ca)
    try:
        files = [*CLIENTS[client](address, cached_hosts(config.proxy))]
    except ValueError as error:
        fail(str(error), as_json)
    if as_json:
        click.echo(json.dumps([attrs.asdict(item) for item in files], indent=2))
        return
    for item in files:
        # JSON has no comments.
        click.echo(f"# {item.path}", err=item.path.endswith(".json"))
        click.echo(item.text)
    for line in remarks(client, address.host, ca):
        click.echo(f"# {line}", err=True)


def remarks(client: str, host: str, ca: str) -> Iterator[str]:
    """Say where a client that has no setting for it looks for an authority (pure)."""
    places = {"docker": "/etc/docker/certs.d", "podman": "/etc/containers/certs.d"}
    if ca and client in places:
        yield f"copy {ca} to {places[client]}/{host}/ca.crt"


def reached_at(http: Http) -> str:
    """Return the URL at which clients reach a listener, as far as it can be told."""
    prefix = http.prefix.strip("/")
    path = f"/{prefix}" if prefix else ""
    if http.host:
        return f"{http.host.rstrip('/')}{path}"
    scheme = "https" if http.tls.certificate else "http"
    host, _, port = http.addr.rpartition(":")
    if http.net == "unix" or not port.isdecimal():
        host, port = "", "443" if http.tls.certificate else "80"
    if host in ("", "0.0.0.0", "[::]"):  # noqa: S104
        host = socket.getfqdn()
    return f"{scheme}://{host}:{port}{path}"
